"""The time of a test: the virtual clock, and sleeping that moves it.

- `clock`: the clock, real until it first moves and frozen from then on. Read it first.
- `freezes`: a time that freezegun has frozen, which the clock moves instead of its own.
- `sleeps`: `time.sleep` and the clocks that measure it, replaced for the threads that perform jobs.
- `loop`: the event loop that runs coroutine jobs in virtual time. It imports asyncio at its top,
  so all others import it inside functions.
- `job_loops`: virtual time in the loops that a synchronous job runs itself. It imports asyncio too.
- `waiting`: real waiting, and the running event loop of a thread.

The performer uses all of it, and explorations do; `jobs.clock` is the part that tests see.
"""
