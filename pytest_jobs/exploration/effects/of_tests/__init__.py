"""What a test has given to the project, mocks and code of its own: calls of it are effects.

- `outside`: a function of the test that project code calls is one effect, however it came there.
- `called`: such a call, as its frame says it, and the names of what lies in places.
- `stubs`: functions, classes and objects in places of the project, which give those names.
- `places`: where doubles lie, by `monkeypatch` and `mock.patch`, and how tests and reports name the places.
- `mocks`: the mocks of `unittest.mock`.
- `enqueues`: a double in the place of what enqueues a job.

Read `outside` and `called` first.
"""
