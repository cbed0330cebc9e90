"""`sqlalchemy_world`: a database with the tables of SQLAlchemy that is new for each history.

Read in this order:

- `world`: what a test calls and gets. It imports SQLAlchemy, and the files below, only when it is called.
- `stores`: where the database is: a sqlite file copied from a template, or a schema of a PostgreSQL server.
- `mysql`: or a database of a MySQL or MariaDB server; `numbers`: what servers give to rows in a world.
- `binding`: how the engines and makers of sessions of the application are redirected to it.
"""
