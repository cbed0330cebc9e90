"""Databases of redis: what the test has of them, or empty ones.

Read in this order:

- `world`: `redis_world`, how the application is redirected to it, and how a snapshot reads what is stored.
- `servers`: fakeredis, or a database of a real server whose leases follow the virtual clock; and the pools of
  connections to it. It imports redis, so it is imported when a world is made.
- `databases`: how `here` takes the database of a client when a job first uses it.
"""
