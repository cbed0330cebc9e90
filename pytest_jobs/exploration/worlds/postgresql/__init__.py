"""PostgreSQL between histories, whatever library the application uses.

- `tables`: what is in the tables of a database, and how they come to that again.

The worlds of Django and SQLAlchemy use it, and `here`.
"""
