"""The bridge of the reference core, which every harness has.

- `bridge`: puts an adapter in force over whatever is configured, and performs payloads through `core.execution`.
- `adapter`: where the core's jobs go while a harness is open; also enqueues dead jobs anew.

`bridges.opening` and `plugin.opening` put a `ReferenceBridge` into each harness, before the bridges to libraries.
"""
