"""The search of `check_idempotent`: every bad history of one job.

Read in this order:

- `plans`: the histories that exist, and in which order they are tried;
- `equivalent_points`: the points that stand for others;
- `checked_job`: the job and the options of a check;
- `history`, `plan_runner`: one world with its deliveries, and carrying out one plan in it;
- `clean_run`, `verdicts`: what every history is compared with, and how;
- `exploration`, `explorer`: what was found, and the search itself;
- `replay`: naming one history, and carrying it out again.

`check` uses it, and `report` describes what it found.
"""
