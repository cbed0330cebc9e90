"""What jobs do to PostgreSQL by its drivers, blocking and awaited.

- `store`: a database, whose tables statements name: what the drivers share.
- `psycopg`: psycopg 3, and its pools, of which each delivery has its own connections.
- `asyncpg`: asyncpg.

psycopg2 is in `c_drivers`: it is seen only under Django and SQLAlchemy.
"""
