"""Attacks on the jobs of a whole suite, `--jobs-twice` and `--jobs-crash`. The tests themselves are the oracle.

- `plugin`: what both have in common: which tests are run, what is counted, what the summary says;
- `runs`: one test, run several times, with one of the runs reported;
- `twice`: each delivery is made once more; a test that breaks is run again to find the job;
- `crash`: each test is run once for every point at which a job can be killed.

`plugin/session.py` registers one of the two. The deliveries themselves are made by `harness/running/twice.py` and
`exploration/live/`.
"""
