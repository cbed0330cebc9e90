"""Messages in flight: what the jobs of a project accept, written to a file, and two such files compared.

- `accepted`: what each registered job accepts, as the libraries say, and the file of it.
- `command`: `python -m pytest_jobs compat`: which messages of the old code the new code breaks.

Used by `__main__`, and by the plugin under `--jobs-messages`. Read `accepted` first.
"""
