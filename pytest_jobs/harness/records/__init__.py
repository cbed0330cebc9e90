"""One enqueued job and one delivery of it, and the contract between the harness and a job library.

- `record`: an enqueued job, and how it is written in one line. Read it first.
- `delivery`: one attempt to perform a record, how it ended, and the tally of several.
- `bridge`: the protocols that a job library's bridge implements. Read it third.
- `targets`: from a job as an application names it to the records of that job. `mocks`: what stands in its place.
- `texts`: values, calls and durations as short text. `instants`: nanoseconds and datetimes.
- `progress`: how far a drain or a check has come, for whoever shows it.
- `attributes`: reading the attributes of objects without asking the objects.
- `patches`, `probing`: what bridges and effect sources need to patch a library: restoring it, and knowing it.

Everything else in the harness, all bridges, the assertions and the explorations stand on it.
"""
