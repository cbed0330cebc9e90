"""What a project uses, which patterns fit it, and the first lines to write.

- `project/`: what the files of a project show, each fact with its place. Nothing is imported or run.
- `patterns`: each pattern of background jobs: applies, later, skip or conflicts, and why.
- `start`: the lines with which pytest-jobs is started here, and `init`, which writes them.
- `first_test`: a first test of a job for `init`, and its run.
- `command`: `python -m pytest_jobs doctor` and `python -m pytest_jobs init`. Read this first.

Used by `__main__`.
"""
