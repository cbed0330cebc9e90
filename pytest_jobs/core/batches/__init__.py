"""Batches: jobs that are counted together, and callbacks when all of them have ended.

Read `batch` first: how a batch is made, enqueued and looked at. `ends` notes the end of each job and enqueues
the callbacks. `stores` keeps batches in memory; its contract is `BatchStore` in `foundation.protocols`, and
`integrations.redis` has another one.

`execution` calls `ends` for each job that carries the header of a batch, and so does `locks` for a job that
another one replaced.
"""
