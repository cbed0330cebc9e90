"""What a session shows of its jobs beyond the tests themselves.

- `recording`: what the session sees of its jobs, as values of the room `seen` of `insight`; how its tests reach
  each job; and what it has imported.
- `reporting`: `--jobs-report`. `linting`: `--jobs-lint`.
- `collecting`: the same for the run that `python -m pytest_jobs lint` makes.
- `contexts`: which lines each delivery reached, when coverage measures lines.
- `messages`: `--jobs-messages`.

`session` registers each of them when its option is given. What they compute is in the package `insight`.
None of them is imported, and nothing is recorded, when no option asks for it.
"""
