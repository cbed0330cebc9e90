"""`django_world`: a database behind one of Django's aliases that is new for each history.

Read in this order:

- `world`: what a test calls and gets. It imports Django, and the files below, only when it is called.
- `databases`: the database itself: a sqlite file with tables that are made once, or the test database of a server
  with its tables emptied.
- `rows`: writing the first rows, and reading all of them for a snapshot.
- `surroundings`: what Django keeps in memory beside the database: outbox, caches, rows of its own applications.
"""
