"""The rules, a file for each group of ids. What a rule says of itself is its page in the reference.

- `rule`: what a rule is, and what it may look at; `values`: what an argument of a call is. Read these first.
- `declaring`: JOB1xx, how jobs are declared.
- `enqueueing`: JOB2xx, how and when they are enqueued, and with which arguments.
- `performing`: JOB3xx, the body of a job.
- `retrying`: JOB4xx, errors and what follows from them.
- `scheduling`: JOB5xx, what recurs.

Used by the linter, which has the list of all of them. JOB29x and JOB39x are answered by `watching` beside it.
"""
