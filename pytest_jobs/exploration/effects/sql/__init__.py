"""What jobs do to databases of SQL: one row a driver.

- `basis`: what a check does about every driver, what a statement does, and what the drivers of a kind of
  database share. Read `basis/driver` first.
- `sqlite3`, `aiosqlite`: sqlite.
- `psycopg`, `asyncpg`: PostgreSQL.
- `mysql`: the five of MySQL and MariaDB.
- `c_drivers`: those that nobody sees, which are refused by themselves: psycopg2, pyodbc, pymssql and oracledb.

The sources `sqlalchemy` and `django`, beside this room, ask `basis/driver` for the row of a connection.

They call a driver within effects of their own. Its tables are reported all the same.
"""
