"""What the stores of all worlds stand on.

- `store`: a store of a world, of which each history gets its own; what `ignore=` of `here` leaves out, and how
  long a server waits for a lock.
- `sqlite`: the content of a database of sqlite, of which each history gets a file.
- `postgresql`: the tables of a database of PostgreSQL, which come to the same rows again.

The rooms of the libraries use it, and so do `here` and `sqlite_world`.
"""
