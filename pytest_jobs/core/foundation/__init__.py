"""What a job is made of, and what the rest of the core stands on.

Read `base` first: `JobBase` is a job without verbs, and `Declaration` is what a job class declares. Then
`payload` (a job as it travels, and what a delivery came to) and `protocols` (adapters, stores and
transactions, which third parties implement).

A declaration consists of `signature` (the parameters of `perform`), `types` (the enums and dataclasses that
they name), `callbacks`, `rules` with `waits`, and `options` (queue, priority and due time). `vocabulary` has what
other libraries call all of these, for errors.
For the process there are `registry` (job classes by name), `settings` (adapter and store in force), `hooks`
(lifecycle plugins) and `libraries` (the database libraries in use).

Every other room uses it; it uses none.
"""
