"""What `rq worker -c` loads: where its redis is, and where the jobs of its jobs go."""

import engine_jobs

from pytest_jobs import RedisStore, RqAdapter, configure

# redis-py gives a server up after 5 seconds, and the worker with it.
REDIS_URL = f"{engine_jobs.URL}?socket_timeout={2 * engine_jobs.PATIENCE}"

configure(
    adapter=RqAdapter(engine_jobs.redis),
    store=RedisStore(engine_jobs.redis),
    session=engine_jobs.session,
)
