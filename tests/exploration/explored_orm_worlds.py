"""The worlds in which the jobs that use SQLAlchemy are delivered."""

from __future__ import annotations

import functools

import explored_orm as orm

from pytest_jobs import fake, sqlalchemy_world


class Gateway:
    def charge(self, number, key=None):
        pass


class Mailer:
    def send(self, number):
        pass


def world(bind, url=None):
    """Return a world whose database is bound to what the application has."""

    def shop():
        with (
            sqlalchemy_world(
                orm.Base,
                bind=bind,
                url=url,
                rows=[
                    orm.Payment(id=1),
                    orm.Payment(id=2, status="open"),
                    orm.Account.__table__.insert().values(id=1, balance=0),
                ],
            ) as database,
            fake(orm, "gateway", Gateway(), key="key") as gateway,
            fake(orm, "mailer", Mailer()) as mailer,
        ):
            yield lambda: {
                **database.snapshot(),
                "charges": gateway.calls,
                "mails": mailer.calls,
            }

    return shop


shop = world((orm, "engine"))
async_shop = world((orm, "async_engine"))
postgresql_shop = functools.partial(world, (orm, "engine"))
