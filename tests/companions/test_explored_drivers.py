"""Drivers of databases whose connections are refused: that of mongo, and that of MySQL to another machine."""

import gc

import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import ExplorationError

pymysql = pytest.importorskip("pymysql")
pymongo = pytest.importorskip("pymongo")


def world():
    yield lambda: {"answer": 42}


def insert_by_mysql(host):
    pymysql.connect(host=host, user="shop").cursor().execute("insert into mails values (1)")


def insert_by_mongo(host):
    with pymongo.MongoClient(host, serverSelectionTimeoutMS=300) as client:
        client.shop.mails.insert_one({"number": 1})


# The drivers close a socket only after an OSError, so the collector closes those of a refused connection.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("job", "host", "act"),
    [
        (
            insert_by_mysql,
            "db.example.com",
            r"a connection of pymysql to the real db\.example\.com \(which",
        ),
        (insert_by_mongo, "127.0.0.1", r"socket\.connect\(\('127\.0\.0\.1', 27017\)\)"),
        (insert_by_mongo, "db.example.com", r"socket\.getaddrinfo\('db\.example\.com'\)"),
    ],
)
def test_a_connection_is_refused(job, host, act):
    with pytest.raises(ExplorationError, match=f"The job called {act}.*, which reaches outside"):
        check_idempotent(job, args=(host,), world=world)
    gc.collect()
