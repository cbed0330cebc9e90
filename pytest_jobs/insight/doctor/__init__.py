"""What was seen of a project's jobs, with its places, the next command, and the first lines to write.

- `command`: `python -m pytest_jobs doctor` and `python -m pytest_jobs init`. Read this first.
- `rows`: the table of what is looked for, and the page about each row.
- `facts`: everything that is found about one project, each with its place.
- `reading`: all files in one pass: dependencies, source, files of the deployment. Nothing is imported or run.
- `code`: the syntax tree of one file: what declares and enqueues jobs, and `options`, also by `**PATIENT`.
- `tenants`: what sets or carries a current tenant.
- `start`: the lines with which pytest-jobs is started here, and `init`, which writes them.
- `first_test`: a first test of a job for `init`, and its run.

Used by `__main__`.
"""
