"""The library-neutral engine: records, deliveries, the ledger, the clock and the verbs.

The flat files are what a test and a plugin see; the rooms below them, from the ground up:

- `records/`: one enqueued job, one delivery, and the contract with the bridges.
- `time/`: the virtual clock, and sleeping that moves it.
- `ledger/`: the ordered store, and which of its records are performed next.
- `commits/`: the transactions of the application, and the jobs that wait for their commit.
- `running/`: deliveries, verbs, inline mode, simulated retries.
- `open_harness`: puts them together; opens and closes; the package asks it. `jobs`: `Jobs`, with views and verbs.
- `views`: read-only sequences that print as tables.

Read `records.record`, `records.delivery`, `records.bridge`, `ledger.ledger`, `running.performer`,
`running.verbs` and `jobs`, in this order. Bridges, assertions, explorations and the plugin use it.
"""
