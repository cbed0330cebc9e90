"""What a project uses, which patterns fit it, and the first lines to write.

- `facts`: what a fact is, and everything that is found about one project, each with its place.
- `reading`: all files in one pass: dependencies, source, commands of workers. Nothing is imported or run.
- `code`: the syntax tree of one file: what declares and enqueues jobs, brokers, transactions, tenants, tests.
- `patterns`: each pattern of background jobs: applies, later, skip or conflicts, and why.
- `start`: the lines with which pytest-jobs is started here, and `init`, which writes them.
- `first_test`: a first test of a job for `init`, and its run.
- `command`: `python -m pytest_jobs doctor` and `python -m pytest_jobs init`. Read this first.

Used by `__main__`.
"""
