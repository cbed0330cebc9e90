"""`check_idempotent` without a world, in tests of Flask-SQLAlchemy."""

from __future__ import annotations

import pytest

pytest.importorskip("flask_sqlalchemy", reason="Flask-SQLAlchemy is not installed")

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import update

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent

db = SQLAlchemy()


class Order(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    paid = db.Column(db.Boolean, default=False)


class Line(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    order = db.Column(db.ForeignKey("order.id"))


def pay(number):
    unpaid = update(Order).where(Order.id == number, Order.paid.is_(False))
    if db.session.execute(unpaid.values(paid=True)).rowcount:
        db.session.add(Line(order=number))
    db.session.commit()


def pay_in_two_steps(number):
    if not db.session.get(Order, number).paid:
        db.session.add(Line(order=number))
        db.session.commit()
        db.session.get(Order, number).paid = True
        db.session.commit()


@pytest.fixture(params=["memory", "file"])
def app(request, tmp_path):
    database = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'shop.db'}"
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = database
    db.init_app(app)
    with app.app_context():
        db.create_all()
        yield app
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def committed(app):
    db.session.add(Order(id=1))
    db.session.commit()


@pytest.fixture
def rolled_back(app):
    """Avoid writing to the database, as the documentation of Flask-SQLAlchemy does it."""
    engines = db.engines
    engine = engines[None]
    connection = engine.connect()
    transaction = connection.begin()
    engines[None] = connection
    db.session.add(Order(id=1))
    db.session.flush()
    yield
    db.session.remove()
    transaction.rollback()
    connection.close()
    engines[None] = engine


@pytest.fixture(params=["committed", "rolled_back"])
def prepared(request, app):
    request.getfixturevalue(request.param)


@pytest.mark.usefixtures("prepared")
def test_each_history_has_a_copy_and_the_test_keeps_its_rows():
    check_idempotent(pay, args=(1,))
    with pytest.raises(NotIdempotent, match="line"):
        check_idempotent(pay_in_two_steps, args=(1,))

    assert not db.session.get(Order, 1).paid
    assert db.session.query(Line).count() == 0
