"""What a check builds afresh for each history: stores with new content, and fakes of services.

- `base`: what a store is, of which each history gets its own, and what all stores stand on.
- `here`: the stores that the test has, taken with what is in them. A check uses it when it gets no `world=`.
- `sqlite`, and the rooms `sqlalchemy`, `django`, `redis`: stores of a library, and the world that makes new ones.
- `files`: what is in temporary folders; `moto`: what is in the services of moto.
- `fakes`: `fake`, the stand-in for any object or function; `mail`: `fake_mail`; `http`: `fake_http`.
- `batches`: `batch_world`, which puts the checked job into a batch.

The worlds are context managers of the public interface, and users write their own worlds of them. They redirect
the application to a new store by `bind=`, put everything back in the end, and return what a snapshot reads.
Read `base`, `here` and `sqlite` first. Functions of tests that they take are left out of what is explored
(`leaving_out` in `engine/scope`).
"""
