"""Tables of PostgreSQL that the world does not show are compared, and those of another database are refused."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from tables import each_row

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent
from pytest_jobs.exploration.effects.sql.basis.statements import Statement
from pytest_jobs.exploration.worlds.base.postgresql import Tables

psycopg = pytest.importorskip("psycopg")

app = SimpleNamespace(connect=None)
SCHEMA = """
drop table if exists orders, ledger;
create table orders (id integer primary key, paid integer);
create table ledger (number serial, customer integer unique, cents integer);
insert into orders values (7, 0);
"""
OTHER_SCHEMA = SCHEMA.replace("customer integer unique", "customer integer")
SCHEMA_WITH_TRIGGER = f"""
{OTHER_SCHEMA}
create or replace function book() returns trigger language plpgsql as $$
begin insert into ledger (cents) values (100); return new; end $$;
create trigger booking after update on orders for each row execute function book();
"""


def pay_and_book(number):
    with app.connect() as db:
        db.execute("update orders set paid = 1 where id = %s", (number,))
        db.execute("insert into ledger (customer, cents) values (%s, 100)", (number,))


def pay_and_replace(number):
    with app.connect() as db:
        db.execute("update orders set paid = 1 where id = %s", (number,))
        db.execute(
            "insert into ledger (customer, cents) values (%s, 100) "
            "on conflict (customer) do update set cents = excluded.cents",
            (number,),
        )


def pay(number):
    with app.connect() as db:
        db.execute("update orders set paid = 1 where id = %s", (number,))


async def book_async(number):
    async with await psycopg.AsyncConnection.connect(app.url) as db:
        await db.execute("insert into ledger (customer, cents) values (%s, 100)", (number,))


@pytest.fixture
def worlds(postgresql_url):
    """Return a function that makes a world with a schema, which shows some tables."""
    app.url = postgresql_url.replace("postgresql+psycopg", "postgresql")
    app.connect = lambda: psycopg.connect(app.url)

    def world(schema, *shown):
        @contextmanager
        def opened():
            with psycopg.connect(app.url, autocommit=True) as db:
                db.execute(schema)
                yield lambda: {
                    table: db.execute(f"select * from {table} order by 1").fetchall()
                    for table in shown
                }

        return opened

    yield world
    with psycopg.connect(app.url, autocommit=True) as db:
        db.execute("drop table if exists orders, ledger, audit")
        db.execute("drop function if exists book")


def failure(job, world):
    with pytest.raises(NotIdempotent) as failed:
        check_idempotent(job, args=(7,), world=world, histories=["twice"])
    return failed.value


@pytest.mark.parametrize("job", [pay_and_book, book_async])
def test_a_table_that_the_world_does_not_show_is_compared(job, worlds):
    error = failure(job, worlds(OTHER_SCHEMA, "orders"))

    assert isinstance(error, DuplicateEffect)
    assert error.report.effect == "table ledger (not shown)"
    assert "  once: (7, 100)\n  now:  2 x (7, 100)" in str(error)


def test_a_gap_in_a_sequence_is_no_difference(worlds):
    explored = check_idempotent(pay_and_replace, args=(7,), world=worlds(SCHEMA, "orders"))

    assert " Compared unasked: table ledger." in str(explored)


def test_a_table_that_the_world_shows_is_compared_as_it_shows_it(worlds):
    explored = check_idempotent(
        pay_and_book,
        args=(7,),
        world=worlds(OTHER_SCHEMA, "orders", "(select 1 from ledger limit 1) as any_row"),
        histories=["twice"],
    )

    assert "Compared unasked" not in str(explored)


def test_a_table_that_only_a_trigger_writes_is_compared_only_if_the_world_shows_it(worlds):
    explored = check_idempotent(pay, args=(7,), world=worlds(SCHEMA_WITH_TRIGGER, "orders"))

    assert "ledger" not in str(explored)
    error = failure(pay, worlds(SCHEMA_WITH_TRIGGER, "orders", "ledger"))
    assert isinstance(error, DuplicateEffect)


def test_a_database_that_the_world_does_not_use_is_refused(worlds):
    def in_memory():
        yield lambda: {"answer": 42}

    with psycopg.connect(app.url, autocommit=True) as db:
        db.execute(OTHER_SCHEMA)
    with pytest.raises(
        ExplorationError,
        match=r"writes to table orders of .* \(update orders set paid = 1 .*\), which the world",
    ):
        check_idempotent(pay_and_book, args=(7,), world=in_memory)


@each_row(
    ("sql", "tables"),
    [
        ("INSERT INTO shop.orders (id) SELECT id FROM carts", ["shop.orders"]),
        ('update only "Orders" set paid = 1', ["Orders"]),
        ("insert into a values (1) on conflict (id) do update set n = 1", ["a"]),
        ("insert into a values (1) on duplicate  key\nupdate n = 1", ["a"]),
        ("insert ignore into `a b` values (1)", ["a b"]),
        (
            "with gone as (delete from carts returning id) insert into a select * from gone",
            ["carts", "a"],
        ),
        ("truncate table a", ["a"]),
        ("copy a (id) from stdin", ["a"]),
        ("select * from a for update", []),
        ("select 'insert into a'", []),
        ("insert into a values ('delete from b') -- update c", ["a"]),
        ("merge into a using b on true when matched then delete", ["a"]),
    ],
)
def test_the_tables_that_a_statement_writes(sql, tables):
    found = [".".join(filter(None, table)) for table in Statement(sql).written()]

    assert found == tables


def test_the_names_in_a_statement():
    named = Statement('SELECT * FROM A JOIN "b c" USING (id)').named()

    assert {"a", "b c"} <= {table.name for table in named}


def test_tables_come_to_their_first_rows_whatever_keeps_these_from_being_deleted(postgresql_url):
    """Such as keys in a circle that are checked at once, and a trigger."""
    schema = """
    create schema circle;
    set search_path = circle;
    create table house (id serial primary key, owner integer);
    create table person (id integer primary key, house integer references house);
    alter table house add foreign key (owner) references person;
    create table kept (id integer);
    create function refuse() returns trigger language plpgsql as $$
    begin raise exception 'kept for ever'; end $$;
    create trigger refusing before delete on kept for each row execute function refuse();
    insert into kept values (7);
    """
    with psycopg.connect(
        postgresql_url.replace("postgresql+psycopg", "postgresql"), autocommit=True
    ) as db:
        db.execute(schema)
        tables = Tables(db, ["house", "person", "kept"], [("house_id_seq", 1, False)], db)
        for _ in range(2):
            db.execute("insert into house default values; insert into person values (2, 1)")
            db.execute("update house set owner = 2; insert into kept values (8)")

            tables.put_back(db, "Nothing else changes them.")
            found = [
                db.execute(f"select * from {name}").fetchall()
                for name in ("house", "person", "kept")
            ]
            assert found == [[], [], [(7,)]]
        db.execute("drop schema circle cascade")
