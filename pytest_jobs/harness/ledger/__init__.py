"""The ordered store of enqueued jobs and their deliveries, and what can be asked of it.

- `ledger`: the store itself, which is the sink of every bridge. Read it first.
- `selection`: the filters of a verb (`only=`, `exclude=`, `queue=`), and `jobs.holding`.
- `queues`: which queues workers serve, in which order.
- `chosen`: what fulfils a condition in a list that only grows, such as the deliveries that succeeded.
- `dead_letters`: the jobs that were given up, read from the deliveries.
- `locks`: the locks of unique jobs, and the jobs that they kept out, as views show them.

The performer and the verbs of `running` take records out of the ledger and add deliveries; the
views of `jobs` and the assertions read it. Explorations open ledgers of their own.
"""
