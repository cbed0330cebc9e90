"""Databases of SQLAlchemy: what the test has of them, or new ones.

Read in this order:

- `world`: `sqlalchemy_world`. It imports SQLAlchemy, and the files below, only when it is called.
- `server`: what a store is, and what those on a server have in common, such as the numbers that they give to rows.
- `stores`: a file of sqlite for each history; and the stores that worlds make, by their metadata.
- `postgresql`: a schema of its own, made or taken; `mysql`: a database of its own.
- `binding`: how the engines and makers of sessions of the application are redirected to a store.
- `engines`: how `here` takes the database of an engine when a job first uses it, and the sessions of the test.
"""
