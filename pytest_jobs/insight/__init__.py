"""What the package says about itself, on the command line.

- `explain`: the page of one message or error, as `python -m pytest_jobs explain ANCHOR`.

The pages are those of `docs/reference`. A wheel has copies of them beside these files, in `pages/`.
Used by `__main__` alone.
"""
