"""What a check builds afresh for each history: stores with new content, and fakes of services.

- `fakes`: `fake`, the stand-in for any object or function; `mail`: `fake_mail`; `http`: `fake_http`.
- `sqlite`: `sqlite_world`; and the rooms of the other stores: `sqlalchemy`, `django`, `redis`.
- `batches`: `batch_world`, which puts the checked job into a batch.

All are context managers of the public interface, and users write their own worlds of them. They redirect
the application to a new store by `bind=`, put everything back in the end, and return what a snapshot reads.
Read `fakes` and `sqlite` first. Functions of tests that they take are left out of what is explored
(`leaving_out` in `engine/scope`).
"""
