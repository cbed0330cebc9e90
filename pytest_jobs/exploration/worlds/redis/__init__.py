"""`redis_world`: a redis that is empty at the begin of each history.

Read `world` first: what a test gets, how the application is led there, and how a snapshot reads what is stored.
`servers` is imported when a world is made, since it imports redis: fakeredis, or a database of a real server
whose leases follow the virtual clock, and the pools of connections to it.
"""
