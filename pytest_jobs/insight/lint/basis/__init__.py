"""What the rules of the lint stand on.

- `settings`: `[tool.pytest-jobs.lint]`.
- `baseline`: what a project knows, in a file that only shrinks: findings here, gaps in `coverage`.
- `rule`: what a rule is, and what it may look at.
- `values`: what an argument of a call is, as far as its function says.

Used by the rules, by the linter and by its output.
"""
