"""`--jobs-audit` of suites whose libraries a check cannot watch, or that hold on to what the test has."""

from __future__ import annotations

import pytest

OLD_REDIS = """
    class ConnectionError(Exception): ...

    class Redis:
        def incr(self, name):
            self._send("INCR", name)

        def _send(self, *command): ...
    """
#: What was there before SQLAlchemy 2.0, as far as the bridges and worlds ask for it.
OLD_SQLALCHEMY = """
    import sqlalchemy
    import sqlalchemy.orm

    class Order(sqlalchemy.orm.declarative_base()):
        __tablename__ = "orders"
        id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)

    session = sqlalchemy.orm.Session()
    session.add(Order())
    session.get_bind = object
    del sqlalchemy.Connection
    sqlalchemy.__version__ = "1.4.54"
    """
#: How a library becomes old, a line that makes a client of it, one that uses it, and what is said of that.
OLD = {
    "redis": ({"redis": OLD_REDIS}, "redis.Redis()", "client.incr(name)", "Redis.incr"),
    "sqlalchemy": (
        {"conftest": OLD_SQLALCHEMY},
        'sqlalchemy.create_engine("sqlite:///shop.db")',
        "client.begin()",
        "Engine.begin",
    ),
}


@pytest.mark.parametrize("library", OLD)
def test_a_library_that_is_too_old_to_be_watched_concerns_only_the_jobs_that_use_it(
    pytester, library
):
    old, client, use, called = OLD[library]
    if library not in old:
        pytest.importorskip(library)
    pytester.makepyfile(
        **old,
        shop=f"""
            import {library}
            from pytest_jobs import job

            client = {client}

            @job
            def write(path):
                with open(path, "a") as file:
                    file.write("line")

            @job
            def count(name):
                {use}
            """,
        test_shop="""
            import shop

            def test_writing(jobs, tmp_path):
                shop.write.perform_later(str(tmp_path / "log"))
                shop.count.perform_later("orders")
                jobs.drain()
            """,
    )
    result = pytester.runpytest_subprocess("--jobs-audit", "-v", "-p", "no:cacheprovider")

    result.stdout.fnmatch_lines(
        [
            "2 jobs reached, 1 checked, 1 finding.",
            "- DIVERGED files in write(*)",
            "Not checked:",
            "- Put a fake in the place of what does it *",
            f"    shop.count: The job called {called} of a version of {library} that cannot be watched *",
        ]
    )


def test_a_library_that_is_left_out_is_named_with_the_line_to_write(pytester):
    pytest.importorskip("rq")
    pytester.makeconftest("""
        import sys

        sys.modules["fakeredis"] = None
        """)
    pytester.makepyfile("""
        import rq

        def test_nothing():
            pass
        """)
    result = pytester.runpytest_subprocess("--jobs-audit", "-p", "no:cacheprovider")

    result.stdout.fnmatch_lines(
        [
            "No test reaches a job, so this run shows nothing.",
            'RQ is left out: fakeredis is not installed, * pip install "pytest-jobs[[]rq[]]".',
        ]
    )
    silent = pytester.runpytest_subprocess("--jobs-audit", "-o", "jobs_ignore=rq")

    silent.stdout.no_fnmatch_line("RQ is left out*")


def test_a_job_of_rq_is_checked_although_its_queue_is_on_a_server(pytester, redis_url):
    pytest.importorskip("rq")
    pytester.makepyfile(
        shop=f"""
            from redis import Redis
            from rq import Queue
            from rq.decorators import job

            queue = Queue(connection=Redis.from_url("{redis_url}"))

            @job(queue, connection=queue.connection)
            def write(path):
                with open(path, "a") as file:
                    file.write("line")
            """,
        test_shop="""
            import shop

            def test_writing(tmp_path):
                shop.queue.empty()
                shop.queue.enqueue("shop.write", path=str(tmp_path / "log"))
                [job] = shop.queue.jobs
                shop.write(**job.kwargs)
            """,
    )
    result = pytester.runpytest_subprocess("--jobs-audit", "-v")

    result.stdout.fnmatch_lines(["1 job reached, 1 checked, 1 finding.", "- DIVERGED files in *"])


def test_what_has_to_be_installed_for_jobs_is_the_line_that_says_what_to_do(pytester, redis_url):
    pytester.makeconftest("""
        import sys

        sys.modules["fakeredis"] = None
        """)
    pytester.makepyfile(
        shop=f"""
            from redis import Redis
            from pytest_jobs import job

            client = Redis.from_url("{redis_url}")

            @job
            def count(name):
                client.incr(name)
            """,
        test_shop="""
            import shop

            def test_counting(jobs):
                shop.count.perform_later("orders")
                jobs.drain()
            """,
    )
    result = pytester.runpytest_subprocess("--jobs-audit", "-v")

    result.stdout.fnmatch_lines(
        ["- Install `pytest-jobs[[]redis[]]`.", "    shop.count: The job uses redis, and each *"]
    )


HELD_BACK = """
    import shop

    def test_counting(jobs, tmp_path):
        shop.Base.metadata.create_all(shop.engine)
        shop.session.autoflush = {autoflush}
        shop.session.add(shop.Order())
        shop.pay.perform_now()
    """


@pytest.mark.parametrize(
    ("autoflush", "said"),
    [
        (True, "1 job reached, 1 checked, 1 finding."),
        (False, "*A session of the test has objects that it has not flushed*"),
    ],
)
def test_what_a_session_of_sqlalchemy_holds_back_is_written_as_the_job_would_have_it_written(
    pytester, autoflush, said
):
    pytest.importorskip("sqlalchemy")
    pytester.makepyfile(
        shop="""
            import sqlalchemy as sa
            from sqlalchemy import orm
            from pytest_jobs import job

            class Base(orm.DeclarativeBase): ...

            class Order(Base):
                __tablename__ = "orders"
                id = orm.mapped_column(sa.Integer, primary_key=True)
                paid = orm.mapped_column(sa.Integer, default=0)

            engine = sa.create_engine("sqlite:///shop.db")
            session = orm.Session(engine)

            @job
            def pay():
                session.execute(sa.update(Order).values(paid=Order.paid + 1))
                session.commit()
            """,
        test_shop=HELD_BACK.format(autoflush=autoflush),
    )
    result = pytester.runpytest_subprocess("--jobs-audit", "-v", "-p", "no:cacheprovider")

    result.stdout.fnmatch_lines([said])
