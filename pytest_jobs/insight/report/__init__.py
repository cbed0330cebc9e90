"""The report of a session: one HTML page about its jobs, for `--jobs-report`.

- `data`: what the page shows, in plain values. Read this first.
- `filling`: the records and deliveries that a session saw, as jobs with attempts.
- `lanes`: where each job of a test is drawn, in which row and at which place of the axis.
- `making`: makes the page from the template in the folder `page/`, by Jinja2, with a summary of what is wrong.

The plugin fills the data under `--jobs-report`.
"""
