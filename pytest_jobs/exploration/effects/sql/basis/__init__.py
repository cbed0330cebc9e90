"""What the rows of drivers stand on.

- `driver`: what a check does about every driver, and what each says of itself. Read it first.
- `statements`: what a statement does, as far as its text shows it.
- `postgresql`: what the drivers of PostgreSQL do alike, and a database whose tables are compared.
- `mysql`: the same of MySQL and MariaDB, and their SQL.
"""
