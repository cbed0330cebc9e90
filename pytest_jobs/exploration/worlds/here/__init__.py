"""`here`: a world of copies of what the test has. `check_idempotent` uses it when it gets no `world=`.

Read in this order:

- `here`: what a test calls and gets, and when the copies are made.
- `copied`: what all kinds of copies have in common, and the patterns of `ignore=`.
- `django_databases`: the databases of Django that the test may use; `django_sqlite`: a copy of one in sqlite;
  `django_servers`: a copy of one in PostgreSQL; `django_clones`: the second databases on a server, made before
  the first test.
- `django_memory`: what Django keeps in memory: caches and the outbox.
- `sqlalchemy`: the databases of SQLAlchemy's engines, by first use; `sqlalchemy_postgresql`: those in PostgreSQL.
- `files`: what is in the temporary folder of the test.
- `redis`: the databases of redis and fakeredis, by first use.
- `direct`: refuses connections that go past the copies.

Nothing here is imported before a check needs it, and a library only if the test has imported it.
"""
