"""The job libraries that pytest-jobs knows, and how a harness captures them.

- `known`: the list of the libraries, and the refusal of those that have no bridge.
- `capture`: brings every job library that is imported into a harness. Read it first.

The plugin and `bridges.opening` capture libraries with it. A new bridge gets a line in the list of `known`.
"""
