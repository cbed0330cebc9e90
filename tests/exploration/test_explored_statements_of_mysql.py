"""What a statement of MySQL does, as far as its text shows it."""

import pytest
from tables import each_row

from pytest_jobs.exploration.effects.sql.basis.mysql import MysqlStatement, lock_of
from pytest_jobs.exploration.effects.sql.basis.statements import Table


@each_row(
    ("sql", "tables"),
    [
        ("INSERT INTO Orders (id) SELECT id FROM carts", ["Orders"]),
        ("insert ignore into `a b` values (1)", ["a b"]),
        ("insert a set n = 1", ["a"]),
        ("insert low_priority ignore into a values (1)", ["a"]),
        ("insert into a values (1) on duplicate  key\nupdate n = 1", ["a"]),
        ("REPLACE a VALUES (1)", ["a"]),
        ("replace into shop.`a` values (replace('x', 'y', 'z'))", ["shop.a"]),
        ("update a set n = 1 where id = 1", ["a"]),
        ("update ignore a join `b` on a.id = b.id set a.n = 1", ["a", "b"]),
        ("update a as x, shop.b y set x.n = y.n", ["a", "shop.b"]),
        ("delete quick from a where id in (select id from b)", ["a"]),
        ("delete a from a left join b using (id) where b.id is null", ["a", "b"]),
        ("truncate a", ["a"]),
        ("load data local infile 'x.csv' ignore into table a fields terminated by ','", ["a"]),
        ("with x as (select 1) delete from a", ["a"]),
        ("select * from a for update", []),
        (r"""insert into a values ('it\'s -- \\', "delete from b") # update c""", ["a"]),
        ("/*!40101 insert into a values (1) */", ["a"]),
        ("select 1; insert into a values (1); update b set n = 1", ["a", "b"]),
        ('insert into "a" values (1)', ["a"]),
        (b"insert into a values (1)", ["a"]),
        ("create table a (t timestamp on update current_timestamp)", []),
    ],
)
def test_the_tables_that_a_statement_may_write(sql, tables):
    found = [".".join(filter(None, table)) for table in MysqlStatement(sql).written()]

    assert found == tables


def test_the_names_in_a_statement():
    named = MysqlStatement("SELECT * FROM Shop.a JOIN `b c` USING (id)").named()

    assert {Table("Shop", "a"), Table(None, "b c")} <= named


@pytest.mark.parametrize(
    "sql",
    ["commit", "create table a (id int)", "drop table a", "ALTER TABLE a ADD b INT", "truncate a"],
)
def test_statements_that_commit(sql):
    assert MysqlStatement(sql).commits


@pytest.mark.parametrize(
    "sql", ["create temporary table a (id int)", "drop temporary table a", "update a set n = 1"]
)
def test_statements_that_do_not_commit(sql):
    assert not MysqlStatement(sql).commits


@each_row(
    "sql",
    [
        "begin",
        "start transaction",
        "lock tables a write",
        "SET autocommit = 1",
        "set @@autocommit=ON",
        "SET @@session.autocommit = ON",
    ],
)
def test_statements_that_commit_what_is_open(sql):
    assert MysqlStatement(sql).commits_what_is_open


def test_a_rollback_to_a_savepoint_does_not_end_the_transaction():
    assert MysqlStatement("rollback").rolls_back
    assert not MysqlStatement("rollback to savepoint a").rolls_back


@pytest.mark.parametrize(
    ("sql", "lock"),
    [
        ("select get_lock('a', 10)", "'a'"),
        (b"SELECT GET_LOCK(concat('a', 1), -1)", "concat('a', 1)"),
        (r"do get_lock('it\'s, a', 1)", r"'it\'s, a'"),
        ("select 'get_lock' from a", None),
        ("select release_lock('a')", None),
    ],
)
def test_the_lock_that_a_statement_asks_for(sql, lock):
    assert lock_of(sql) == lock


@pytest.mark.parametrize(
    ("sql", "database"), [("use shop", "shop"), ("USE `a b`", "a b"), ("select 1", None)]
)
def test_the_database_that_a_statement_puts_in_use(sql, database):
    assert MysqlStatement(sql).database() == database
