"""What the tests reach of each job: in which ways, and which of its rules and callbacks were seen.

- `reached`: `JobsReached`, each job with the ways in which tests reach it, and with its cases. Read this first.
- `cases`: what can happen to a job, by its declaration: a rule applies, a callback runs, a schedule fires.

The jobs are those that the running libraries know, and those that tests reach. Shown by `--jobs-audit`, and on the
page of `--jobs-report`.
"""
