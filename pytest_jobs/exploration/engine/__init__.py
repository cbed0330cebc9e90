"""One engine: watched deliveries, for every kind of search.

Read in this order:

- `points`, `lines`, `scope`: what a crash point is, how lines are traced, and whose lines count;
- `run`, `watching`, `watchdog`: one watched delivery with its effects, which is stopped at a point, or where it
  would never end;
- `acts`, `sources`: how effects are reported to a watch, and which libraries are patched to report them;
- `delivering`, `engine`: deliveries in a world, and the set-up that is the same for all of them;
- `world`, `sameness`: building a world, and comparing its states;
- `memory`: what each process keeps, and which objects two deliveries would share all the same;
- `threads`, `unwinding`: deliveries side by side, the end of a dead one;
- `functions`: the bridge of plain functions.

`histories` (check_idempotent) stands on it. `effects` and `worlds` report to it by `acts`, and name their fakes by
`scope`.
"""
