"""The time of a test: the virtual clock, and sleeping that moves it.

- `clock`: the clock, real until it first moves and frozen from then on, or a time that freezegun has frozen.
  Read it first.
- `sleeps`: `time.sleep` and the clocks that measure it, replaced for the threads that perform jobs.
- `loop`: event loops in virtual time, ours and those of jobs. It imports asyncio at its top, so all others import
  it inside functions.
- `limits`: the time limits of a delivery, which virtual sleep passes.
- `waiting`: real waiting, and the running event loop of a thread.

The performer uses all of it, and explorations do; `jobs.clock` is the part that tests see.
"""
