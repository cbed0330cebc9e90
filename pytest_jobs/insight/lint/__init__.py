"""The lint of jobs: habits that will hurt. The running libraries say what is a job, and the text what it does.

- `linter`: reads a project, asks the rules, and leaves out what is switched off. Read this first.
- `rules/`: all of the rules, and what a rule is.
- `settings`: `[tool.pytest-jobs.lint]`, and `baseline`: what a project knows, in a file that only shrinks.
- `watching`: what the deliveries of a test session show, for `--jobs-lint`.
- `output`: findings as text, for GitHub, as SARIF and as JSON.
- `pages`: the page of each rule in the reference.
- `collecting`: runs pytest to collect the tests, and so has the project imported.
- `command`: `python -m pytest_jobs lint`.

Used by `__main__`, and by the plugin under `--jobs-lint`.
"""
