"""The JSON that a library writes comes back as from a column of PostgreSQL, or is refused with the same error."""

import json

import pytest
from column_values import VALUES
from servers import postgresql_url  # noqa: F401 - a fixture

from pytest_jobs.bridges.columns import as_jsonb

psycopg = pytest.importorskip("psycopg")


def answer(make):
    """Return what JSON comes back, or the class and the first line of the error."""
    try:
        # Not compared as dicts, whose order does not count.
        return json.dumps(json.loads(make()))
    except psycopg.Error as error:
        return type(error), str(error).partition("\n")[0]


@pytest.fixture(scope="module")
def connection(postgresql_url):  # noqa: F811 - the fixture
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_jsonb_answers_as_postgresql_does(connection, value):
    text = json.dumps(value)

    real = answer(lambda: connection.execute("SELECT %s::jsonb::text", [text]).fetchone()[0])

    assert answer(lambda: as_jsonb(text, psycopg.errors.lookup)) == real


def test_numbers_and_keys_come_back_as_jsonb_keeps_them():
    text = json.dumps({"total": 1e16, "id": [-0.0, 1.0], "to": {"b": 1, "a": 2}})

    assert as_jsonb(text, psycopg.errors.lookup) == (
        '{"id": [0.0, 1.0], "to": {"a": 2, "b": 1}, "total": 10000000000000000}'
    )
