"""What `rq worker -c` loads: where its redis is, and where the jobs of its jobs go."""

import engine_jobs

from pytest_jobs import RedisStore, RqAdapter, configure

REDIS_URL = engine_jobs.URL

configure(
    adapter=RqAdapter(engine_jobs.redis),
    store=RedisStore(engine_jobs.redis),
    session=engine_jobs.session,
)
