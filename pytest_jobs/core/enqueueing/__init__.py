"""The way of a job to the adapter.

Read `enqueue` first: it makes a job and its payload, runs the callbacks, and hands the payload over, for retries
too. `many` does so for many jobs at once, in one round trip where the adapter can. `context` has the current
attributes, which a job takes along and sees again when it is performed. `commits` lets a job wait until a
transaction has committed; only programs with such jobs import it.

`job`, `functions` and `execution` use it, and so do `batches`; the harness watches `commits`.
"""
