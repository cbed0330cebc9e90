"""`--jobs-audit`: the jobs that a suite reaches are checked after its tests, without a line of code.

The suite runs untouched in a first pass, which only notes. In the second pass chosen tests run once more with a
check inside, and their outcome is thrown away: recorders and stateful doubles of a test cannot be broken by it.

- `plugin`: both passes. Read it first;
- `arrivals`: sees each job that a test delivers or calls, or leaves pending, and notes it in the first pass;
- `functions`: those that are jobs, and that tests call as functions;
- `swallowed`: the enqueues that mocks and open transactions have kept from the queue;
- `rerun`: one test once more, which nobody hears of, and its end before `tearDown`; `checking`: the check in it;
- `findings`: the kinds of findings in the order of their rank;
- `handoffs`: the places that hand work off;
- `result`: everything that was found, by several processes too, and the findings that a project accepts; `text`
  writes it for the summary, and `plugin` into a file.
"""
