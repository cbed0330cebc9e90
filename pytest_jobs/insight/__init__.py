"""What the package says about itself and about a project, on the command line.

- `explain`: the page of one message or error, as `python -m pytest_jobs explain ANCHOR`.
- `doctor/`: what was seen of a project's jobs, and how to start, as `python -m pytest_jobs doctor`.
- `lint/`: habits of jobs that will hurt, as `python -m pytest_jobs lint`.
- `reached/`: how tests reach each job, and which of its rules and callbacks were seen.
- `messages/`: what jobs accept, and which messages in flight a change breaks, as `python -m pytest_jobs compat`.
- `seen/`: what a test session saw of its jobs, in plain values.
- `source/`: the source of a project, read as syntax trees, and the jobs in the registries of a process.

The pages of `explain` are those of `docs/reference`. A wheel has copies of them beside these files, in `pages/`.
Used by `__main__`, and by the plugin under `--jobs-lint`, `--jobs-audit`, `--jobs-report` and `--jobs-messages`.
"""
