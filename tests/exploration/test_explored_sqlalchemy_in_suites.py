"""Jobs that use SQLAlchemy, in a suite that kills them, whose database is what the suite makes it."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("sqlalchemy")
pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 12), reason="--jobs-crash needs Python 3.12"),
    pytest.mark.slow,
]

SHOP = """
    from sqlalchemy import create_engine, update
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

    from pytest_jobs import job

    charges = []


    class Base(DeclarativeBase):
        pass


    class Payment(Base):
        __tablename__ = "payments"
        id: Mapped[int] = mapped_column(primary_key=True)
        status: Mapped[str] = mapped_column(default="open")


    engine = create_engine("sqlite:///shop.db")
    Session = sessionmaker(engine)


    @job
    def charge_and_mark(number):
        with Session() as session:
            payment = session.get(Payment, number)
            if payment.status == "paid":
                return
            charges.append(number)
            payment.status = "paid"
            session.commit()


    @job
    def mark(number):
        with Session.begin() as session:
            session.execute(update(Payment).values(status="paid"))
"""
TEST = """
    import pytest
    import shop


    @pytest.fixture(autouse=True)
    def database():
        shop.charges.clear()
        shop.Base.metadata.create_all(shop.engine)
        with shop.Session.begin() as session:
            session.add(shop.Payment(id=1))
        yield
        shop.Base.metadata.drop_all(shop.engine)
        shop.engine.dispose()


    def status():
        with shop.Session() as session:
            return session.get(shop.Payment, 1).status


    def test_charging(jobs):
        shop.charge_and_mark.perform_later(1)
        jobs.drain()
        assert (shop.charges, status()) == ([1], "paid")


    def test_marking(jobs):
        shop.mark.perform_later(1)
        jobs.drain()
        assert status() == "paid"
"""


def test_a_job_is_killed_in_the_database_of_the_test(pytester):
    pytester.makepyfile(shop=SHOP, test_shop=TEST)

    result = pytester.runpytest_subprocess("--jobs-crash", "-p", "no:randomly")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*charge_and_mark, killed and delivered again, breaks this test; *",
            "*test_shop.py::test_charging*",
        ]
    )


IN_MEMORY = """
    import pytest
    import shop
    from sqlalchemy import StaticPool, create_engine


    @pytest.fixture(autouse=True)
    def database(monkeypatch):
        engine = create_engine("sqlite://", poolclass=StaticPool)
        shop.Session.configure(bind=engine)
        shop.charges.clear()
        shop.Base.metadata.create_all(engine)
        with shop.Session.begin() as session:
            session.add(shop.Payment(id=1))
        yield
        shop.Base.metadata.drop_all(engine)
        engine.dispose()
"""
OUTER_TRANSACTION = """
    import pytest
    import shop


    @pytest.fixture(autouse=True)
    def database():
        shop.charges.clear()
        shop.Base.metadata.drop_all(shop.engine)
        shop.Base.metadata.create_all(shop.engine)
        with shop.engine.connect() as connection:
            outer = connection.begin()
            shop.Session.configure(bind=connection, join_transaction_mode="create_savepoint")
            with shop.Session.begin() as session:
                session.add(shop.Payment(id=1))
            yield
            assert outer.is_active
            outer.rollback()
        shop.engine.dispose()
"""


@pytest.mark.parametrize("fixture", [IN_MEMORY, OUTER_TRANSACTION], ids=["in memory", "outer"])
def test_a_connection_that_holds_the_data_of_the_test_outlives_a_dead_delivery(pytester, fixture):
    tests = fixture + TEST[TEST.index("    def status") :]
    pytester.makepyfile(shop=SHOP, test_shop=tests)

    result = pytester.runpytest_subprocess("--jobs-crash", "-p", "no:randomly", "-W", "error")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*charge_and_mark, killed and delivered again, breaks this test; *",
            "*test_shop.py::test_charging*",
        ]
    )


CHECKED = """
    import pytest
    import shop
    from pytest_jobs import check_idempotent, sqlalchemy_world


    def world():
        with sqlalchemy_world(shop.Base.metadata, bind=(shop, "Session")) as database:
            with shop.Session.begin() as session:
                session.add(shop.Payment(id=1))
            yield lambda: {"payments": database.rows("payments"), "charges": shop.charges}


    @pytest.mark.parametrize("job", [shop.mark, shop.charge_and_mark])
    def test_checking(job, jobs):
        check_idempotent(job, args=(1,), world=world)


    def test_performing(jobs):
        shop.Base.metadata.create_all(shop.engine)
        shop.mark.perform_later(1)
        jobs.drain()
        shop.Base.metadata.drop_all(shop.engine)
        shop.engine.dispose()
"""


def test_a_check_in_a_suite_that_is_attacked_finds_what_it_finds_without(pytester):
    pytester.makepyfile(shop=SHOP, test_shop=CHECKED)
    found = []
    for flags in ((), ("--jobs-twice", "--jobs-attack-calls"), ("--jobs-crash",)):
        result = pytester.runpytest_subprocess(*flags, "-p", "no:randomly")
        result.assert_outcomes(passed=2, failed=1)
        lines = result.outlines
        found.append([line for line in lines if "NotIdempotent" in line or "explored: " in line])

    assert found[0]
    assert found[0] == found[1] == found[2]
