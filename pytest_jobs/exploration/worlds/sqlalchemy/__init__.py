"""Databases of SQLAlchemy: what the test has of them, or new ones.

Read in this order:

- `world`: `sqlalchemy_world`. It imports SQLAlchemy, and the files below, only when it is called.
- `stores`: what a store is: a file of sqlite for each history, or tables of a server, with the numbers that they
  give to rows. MySQL has a database of its own.
- `postgresql`: a schema of its own, made or taken.
- `binding`: how the engines and makers of sessions of the application are redirected to a store.
- `engines`: how `here` takes the database of an engine when a job first uses it, and the sessions of the test.
"""
