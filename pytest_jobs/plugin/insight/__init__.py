"""What a session shows of its jobs beyond the tests themselves.

- `linting`: `--jobs-lint`.

`session` registers each of them when its option is given. What they compute is in the package `insight`.
None of them is imported, and nothing is recorded, when no option asks for it.
"""
