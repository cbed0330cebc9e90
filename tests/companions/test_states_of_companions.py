"""Values of numpy, pandas, pydantic and attrs in a state are compared by what they hold."""

from __future__ import annotations

import types

import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
pydantic = pytest.importorskip("pydantic")
attrs = pytest.importorskip("attrs")

place = types.SimpleNamespace()


def show():
    place.stored, place.deliveries = None, 0
    yield lambda: {"stored": place.stored}


def check_stored(*values):
    """Check a job whose first delivery stores the first value, made by a function, and the second the next."""

    def store():
        place.deliveries += 1
        place.stored = values[min(place.deliveries, len(values)) - 1]()

    return check_idempotent(store, world=show, histories=["twice"])


class Total(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    amount: int = 0

    def __repr__(self):
        return "<Total>"


@attrs.define(repr=False)
class Account:
    balance: int


@pytest.mark.parametrize(
    "make",
    [
        lambda n: numpy.array([1, n]),
        lambda n: numpy.array([[1.5, float("nan")], [n, 1]]),
        lambda n: numpy.arange(5_000) * n,
        numpy.float64,
        numpy.int32,
        lambda n: numpy.datetime64(n, "D"),
        lambda n: [numpy.bool_(n > 2)],
        lambda n: pandas.DataFrame({"a": [1, None], "b": [n, 2]}),
        lambda n: pandas.DataFrame({"a": [1, 2]}, index=[0, n]),
        lambda n: pandas.DataFrame([[1, n]], columns=["a", "a"]),
        lambda n: pandas.Series([1, None, n], name="x"),
        lambda n: pandas.Series([pandas.Timestamp(2026, 1, n), pandas.NaT]),
        lambda n: pandas.Index([n]),
        lambda n: pandas.Categorical(["a", str(n)]),
        lambda n: {"mean": pandas.Series([n, pandas.NA]).iloc[0]},
        lambda n: Total(amount=n),
        lambda n: Total(note=n),
        lambda n: [Account(n)],
    ],
)
def test_values_that_differ_are_a_difference_and_the_same_values_are_none(make):
    with pytest.raises(NotIdempotent):
        check_stored(lambda: make(2), lambda: make(4))

    check_stored(lambda: make(2))


@pytest.mark.parametrize(
    "value",
    [numpy.nan, numpy.float32("nan"), pandas.NaT, pandas.NA, numpy.datetime64("NaT", "s")],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_a_number_is_the_same_as_itself(value):
    check_stored(lambda: [value])


def test_a_field_of_pydantic_that_was_set_by_name_is_the_same_as_its_default():
    check_stored(lambda: Total(amount=0), Total)


def test_a_time_in_a_table_is_a_distance():
    check_stored(lambda: pandas.DataFrame({"at": [pandas.Timestamp.now(tz="UTC"), pandas.NaT]}))
