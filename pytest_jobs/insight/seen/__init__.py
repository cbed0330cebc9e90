"""What a test session saw of its jobs, in plain values.

- `session`: the values. `SeenSession` has a `SeenTest` for each harness that was open: `records` (enqueued jobs),
  `deliveries` (attempts with virtual times, waits, errors), `timelines` (of `simulate_retries`), `checks` and
  `firings` (of recurring tasks). Read this first.
- `recorder`: makes these values of harnesses and checks while tests run.
- `audited`: what an audit says of the jobs at the end.

All values are plain, so that a session travels from a worker of pytest-xdist, and comes together with others by
`SeenSession.add()`. Times are nanoseconds of the virtual
clock since the epoch. A job is named by its bridge and its name there; `file` and `line` say where its body
begins. Nothing here imports pytest or the exploration. Used by the plugin's `insight/recording`, by its `audit`,
and by `reached` and `report`.
"""
