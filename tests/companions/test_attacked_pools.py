"""Jobs that are killed on connections of a pool, and in sessions that outlive them."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("celery")
pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="--jobs-crash needs Python 3.12")

FLASK = """
    from celery import Celery, Task
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy

    flask_app = Flask("shop", instance_path={here!r})
    flask_app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///shop.db"
    db = SQLAlchemy(flask_app)


    class Order(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        status = db.Column(db.String, default="open")
        charges = db.Column(db.Integer, default=0)


    class FlaskTask(Task):
        def __call__(self, *args, **kwargs):
            with flask_app.app_context():
                return self.run(*args, **kwargs)


    app = Celery("shop", broker="redis://redis.invalid/0", task_cls=FlaskTask)


    @app.task
    def pay(number):
        order = db.session.get(Order, number)
        if order.status == "paid":
            return
        order.status = "paid"
        order.charges = order.charges + 1
        db.session.commit()


    @app.task
    def charge_then_mark(number):
        order = db.session.get(Order, number)
        if order.status == "paid":
            return
        order.charges = order.charges + 1
        db.session.commit()
        order.status = "paid"
        db.session.commit()
"""
FLASK_TEST = """
    import pytest
    from shop import Order, charge_then_mark, db, flask_app, pay


    @pytest.fixture(autouse=True)
    def database():
        with flask_app.app_context():
            db.drop_all()
            db.create_all()
            db.session.add(Order(id=1))
            db.session.commit()
            yield
            db.session.remove()
            db.engine.dispose()


    @pytest.mark.parametrize("task", [pay, charge_then_mark])
    def test_an_order_is_paid_once(task, jobs):
        task.delay(1)
        jobs.drain()
        db.session.expire_all()
        assert db.session.get(Order, 1).status == "paid"
        assert db.session.get(Order, 1).charges == 1
"""


def test_a_pooled_connection_of_flask_is_rolled_back_when_its_job_is_killed(pytester):
    pytest.importorskip("flask_sqlalchemy")
    pytester.makepyfile(shop=FLASK.format(here=str(pytester.path)), test_shop=FLASK_TEST)

    result = pytester.runpytest_subprocess("--jobs-crash")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["- killed after sqlalchemy: commit (shop.py:*)", "shop.charge_then_mark broke 1 test:"]
    )


SCOPED = """
    import os

    from sqlalchemy import create_engine
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker

    from pytest_jobs import job

    engine = create_engine(os.environ["SHOP_URL"], pool_size=1, max_overflow=0)
    Session = scoped_session(sessionmaker(engine))


    class Base(DeclarativeBase):
        pass


    class Payment(Base):
        __tablename__ = "payments"
        id: Mapped[int] = mapped_column(primary_key=True)
        number: Mapped[int]


    @job
    def pay(number):
        try:
            if Session.query(Payment).filter_by(number=number).count():
                return
            Session.add(Payment(number=number))
            Session.flush()
            Session.commit()
        finally:
            Session.remove()


    @job
    def pay_without_looking(number):
        try:
            Session.add(Payment(number=number))
            Session.commit()
        finally:
            Session.remove()
"""
SCOPED_TEST = """
    import pytest
    from shop import Base, Payment, Session, engine, pay, pay_without_looking


    @pytest.fixture(autouse=True)
    def database():
        Base.metadata.create_all(engine)
        yield
        Session.remove()
        Base.metadata.drop_all(engine)
        engine.dispose()


    @pytest.mark.parametrize("job", [pay, pay_without_looking])
    def test_a_payment_is_made_once(job, jobs):
        job.perform_later(7)
        jobs.drain()
        assert Session.query(Payment).count() == 1
"""


def _attack_scoped(pytester, monkeypatch, url):
    monkeypatch.setenv("SHOP_URL", url)
    pytester.makepyfile(shop=SCOPED, test_shop=SCOPED_TEST)
    result = pytester.runpytest_subprocess("--jobs-crash")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "- killed after sqlalchemy: commit (shop.py:*)",
            "shop.pay_without_looking broke 1 test:",
            "2 jobs killed at * points, in 2 tests of 2.",
        ]
    )


def test_a_session_that_a_killed_job_left_in_a_registry_forgets_what_it_did(pytester, monkeypatch):
    pytest.importorskip("sqlalchemy")
    _attack_scoped(pytester, monkeypatch, "sqlite:///shop.db")


def test_the_only_connection_of_a_pool_is_free_after_a_kill_on_postgresql(
    pytester, monkeypatch, postgresql_url
):
    pytest.importorskip("psycopg")
    _attack_scoped(
        pytester, monkeypatch, postgresql_url.replace("postgresql", "postgresql+psycopg", 1)
    )


GLOBAL_CONNECTION = """
    import os

    import psycopg

    from pytest_jobs import job

    connections = []


    def connection():
        if not connections:
            connections.append(psycopg.connect(os.environ["SHOP_URL"]))
        return connections[0]


    @job
    def pay(number):
        db = connection()
        row = db.execute("select status from orders where id = %s", (number,)).fetchone()
        if row[0] == "paid":
            return
        db.execute("update orders set status = 'paid' where id = %s", (number,))
        db.execute("insert into payments values (%s)", (number,))
        db.commit()
"""
GLOBAL_TEST = """
    import pytest
    from shop import connection, pay


    @pytest.fixture(autouse=True, scope="module")
    def tables():
        db = connection()
        db.execute("create table if not exists orders (id int, status text)")
        db.execute("create table if not exists payments (id int)")
        db.commit()
        yield
        db.close()


    def test_an_order_is_paid_once(jobs):
        db = connection()
        db.execute("truncate orders, payments")
        db.execute("insert into orders values (7, 'open')")
        db.commit()
        pay.perform_later(7)
        jobs.drain()
        db.rollback()
        assert db.execute("select count(*) from payments").fetchone() == (1,)
        db.rollback()
"""


def test_a_connection_of_psycopg_that_the_job_keeps_is_rolled_back(
    pytester, monkeypatch, postgresql_url
):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("SHOP_URL", postgresql_url)
    pytester.makepyfile(shop=GLOBAL_CONNECTION, test_shop=GLOBAL_TEST)

    result = pytester.runpytest_subprocess("--jobs-crash")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 job killed at * points, in 1 test of 1."])
