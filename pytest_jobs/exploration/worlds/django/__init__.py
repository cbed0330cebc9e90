"""Databases of Django, and what it keeps in memory: what the test has of them, or new ones.

Read in this order:

- `world`: `django_world`. It imports Django, and the files below, only when it is called.
- `stores`: a database of which each history gets its own: a sqlite file, the test database of a server, or a
  second one beside it; and the databases that `here` takes.
- `rows`: writing the first rows, and reading all of them for a snapshot.
- `databases`: the connections behind Django's aliases, the tables of models, and the second databases on a
  server, which are made before the first test.
- `memory`: what Django keeps in memory beside the database: outbox, caches, rows of its own applications.
"""
