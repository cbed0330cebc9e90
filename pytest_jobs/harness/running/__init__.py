"""Performing records: one delivery at a time, and the verbs, modes and simulations made of deliveries.

- `performer`: makes one delivery through a bridge and records it. Read it first.
- `verbs`: which records `perform_due`, `drain` and `run_for` perform, in which order.
- `workers`: `drain(workers=)`, where jobs overlap by the time that they sleep.
- `inline`: performs each job as soon as it is enqueued. `promises`: calls that are to be awaited or entered.
- `recurring`: schedulers that fire the tasks of a schedule while `run_for` lets time pass.
- `faults`: errors instead of a job. `timeline`: the retries of one job, simulated and drawn.
- `direct_calls`: direct calls of tasks, for `--jobs-audit`.

`jobs` calls the verbs; explorations use the performer.
"""
