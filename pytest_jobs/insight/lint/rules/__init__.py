"""The rules, a file for each group of ids. A rule is data: its page and its tests are made of it.

- `declaring`: JOB1xx, how jobs are declared.
- `enqueueing`: JOB2xx, how and when they are enqueued, and with which arguments.
- `performing`: JOB3xx, the body of a job.
- `retrying`: JOB4xx, errors and what follows from them.
- `scheduling`: JOB5xx, what recurs.
- `watching`: JOB29x and JOB39x, what deliveries show while tests run.

Used by the linter, which has the list of all of them.
"""
