"""Jobs that are kept apart: unique jobs, and limits of how many run at once.

Read `declaring` first, the two decorators. `rules` has what they declare. `exclusion` takes the
locks and places when a job is enqueued or begins to run, and gives them back. `stores` keeps them in memory;
its contract is `Store` in `foundation.protocols`, and `integrations.redis` has another one.

`enqueueing` and `execution` know an exclusion only as an attribute of a declaration, which is None for nearly
every class, so that plain jobs neither import this room nor pay for it.
"""
