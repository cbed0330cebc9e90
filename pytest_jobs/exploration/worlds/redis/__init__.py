"""`redis_world`: a redis that is empty at the begin of each history.

Read in this order:

- `world`: what a test calls and gets, how the application is redirected to it, and how a snapshot reads
  what is stored.
- `servers`: fakeredis, or a database of a real server whose leases follow the virtual clock; and the pools of
  connections to it. It imports redis, so it is imported when a world is made.
"""
