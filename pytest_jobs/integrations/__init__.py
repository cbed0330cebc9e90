"""What the reference core uses of third parties, each of them imported only when it is used.

Where jobs of the core run in production:
- `rq` and `rq_worker`, `celery`: an adapter that sends jobs, and what a worker calls to perform them;
- `redis`: a store of locks, places and batches that several processes share;
- `instruments`: lifecycle plugins that log and count jobs.

Rooms: `recurring/` (schedules), `django/` and `sqlalchemy/` (records as arguments, transactions). `queues` reads
the files of workers, `ini_file` the one in which pytest has its options, `requirements` the dependency files.

Bridges are elsewhere: they bring the jobs *of* a library into a test, and lie in `bridges/`.
"""
