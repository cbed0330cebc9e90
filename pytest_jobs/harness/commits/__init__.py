"""The transactions of the application, and the jobs that wait for their commit.

A job may be enqueued after a commit: by Django's `transaction.on_commit`, or by the core's
`enqueue_after_commit`. In a test that commit may never come, or comes when a verb makes it.

- `transactions`: the protocol of a database library, and `TransactionSystems`, all that are in use. Read it first.
- `core_transactions`: the transactions that the core knows and the application commits (SQLAlchemy).
  Django's are in `integrations.django.transactions`.
- `early_enqueues`: the warning for a job that is enqueued inside a transaction and does not wait for it.
- `callables`: a callback in the words of the application, and the line that registered it.

`open_harness` installs the systems, `jobs.commit` and the views use them.
"""
