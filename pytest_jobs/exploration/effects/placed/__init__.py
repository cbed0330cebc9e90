"""What a test has put in a place of the project: mocks and stubs. Calls of them are effects by the place.

- `places`: where doubles lie, by `monkeypatch` and `mock.patch`, and how tests and reports name the places.
- `mocks`: the mocks of `unittest.mock`.
- `stubs`: functions, classes and objects that are no mocks.
- `enqueues`: a double in the place of what enqueues a job.

Read `places` and `stubs` first.
"""
