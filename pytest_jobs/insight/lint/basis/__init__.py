"""What the rules of the lint stand on.

- `settings`: `[tool.pytest-jobs.lint]`.
- `rule`: what a rule is, and what it may look at.
- `story`: what a job does in order, for rules about deliveries that come twice or die half-way.

Used by the rules, by the linter and by its output.
"""
