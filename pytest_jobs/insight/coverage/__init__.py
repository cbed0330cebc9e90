"""Job coverage: which jobs of a project the tests enqueue and perform, and which of their rules and callbacks ran.

- `coverage`: `JobCoverage`, the cases of each job and how often a test has seen each. Read this first.
- `cases`: what can happen to a job, by its declaration: the cases.
- `output`: coverage as a table, in the terminal and on the page, and as JSON.

A case is one thing that can happen to a job: it is enqueued, performed, retried by a certain rule, and so on. What
checks explored, and the places that enqueue, are numbers of their own. The
jobs are those that the running libraries know, and those that ran. Used by the plugin under `--jobs-cov`.
"""
