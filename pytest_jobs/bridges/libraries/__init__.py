"""The job libraries that pytest-jobs knows, and how a harness captures them.

- `known`: one row a library, with all that is taken for granted of it.
- `refusals`, `clients`: the libraries without a bridge, and message clients: refused, or noticed.
- `capture`: brings every job library that is imported into a harness. Read it first.

The plugin and `bridges.opening` capture libraries with it. A new bridge gets a row in `known`.
"""
