"""What jobs do to redis, by redis-py and by fakeredis, whose clients derive from it.

Read in this order:

- `commands`: one command and its effect; the effects of transactions, scripts and locks; the errors.
- `clients`: which methods of the clients, blocking and awaited, are replaced, and why these; how a command
  or a lock that would wait lets virtual time pass instead.
- `keys`: the keys of each command, for the account of a history, and what a key has; the servers of fakeredis.

`engine/sources.py` takes `clients` into use as soon as a job or a test has imported redis.
"""
