"""What jobs do to MySQL and MariaDB: one effect source a driver.

- `statements`: the SQL of MySQL: what a statement changes, which tables it writes, when it commits.
- `driver`: what all drivers do alike, and the tables that they report. Read it first.
- `blocking`, `awaited`: what the drivers of each kind do alike, and how a source asks the server through them.
- `store`: a database with its tables, which a check compares when a history ends.
- `pymysql`, `mysqlclient`, `connector`: where the statements of a blocking driver go through.
- `aiomysql`, `asyncmy`: the same of an awaited one.

SQLAlchemy and Django call a driver within acts of their own. Its tables are reported all the same.
"""
