"""The reference job core: a small job library with the patterns of ActiveJob and Sidekiq.

Read `job`, then `enqueueing/enqueue` (from a job to the adapter), then `execution` (one delivery). Those
are the two ways of a job; everything else is a part of one of them.

On top, and imported by no room: `job` (the class that applications derive from, and its verbs), `functions`
(`@job` and `later`), `decorators` (rules and callbacks), `creation` (jobs that follow upon new records),
`execution`.
Below them the rooms, each of which imports only those before it: `foundation` (what a job is made of, and
what others implement), `arguments` (values as JSON text), `enqueueing`, `batches`, `locks`.

It imports the standard library and pluggy. Applications use it through `pytest_jobs`; the harness takes the
place of its adapter by `bridges.core`; production engines and databases are in `integrations`.
"""
