"""Recurring jobs: from a file that says when to the firings of a scheduler.

Read `schedule` first: `Schedule` and `load_schedule`, for YAML of Solid Queue and Sidekiq and for crontab lines.

- `task`: one task, the job or command that it enqueues, and how the job's library enqueues it;
- `phrases`: from a text such as `every monday at 9am` to a timing;
- `timing`: from a timing to instants, with timezones and changes of the clocks;
- `yaml`: reads YAML, for `integrations/queues.py` as well;
- `preview`: what a schedule will fire.

Users import `Schedule`, `load_schedule` and `preview` from `pytest_jobs`. In a test `jobs.recurring(schedule)`
fires what `Schedule.firings_between` returns.
"""
