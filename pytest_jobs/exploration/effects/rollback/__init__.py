"""What databases do for a worker that died: they roll back what it did not commit.

- `connections`: the protocol, and the connections of a driver, whose row in `sql` knows them;
- `sqlalchemy`: sessions; `django`: atomic blocks.

For `--jobs-crash`, where the connections of a test outlive a killed delivery: see `live/databases.py`.
A check closes the connections of a delivery instead.
"""
