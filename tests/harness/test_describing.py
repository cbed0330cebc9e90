"""Records, deliveries and durations in words."""

from datetime import UTC, datetime, timedelta

import pytest
from tables import each_row

from pytest_jobs.harness.records.instants import to_datetime, to_timedelta
from pytest_jobs.harness.records.texts import (
    counted,
    duration,
    error_text,
    instant,
    short_name,
    short_repr,
    shortened,
    table,
)


@each_row(
    ("delta", "text"),
    [
        (0, "0s"),
        (3, "3s"),
        (0.25, "0.25s"),
        (59.999_999_9, "1m"),
        (60, "1m"),
        (83, "1m 23s"),
        (3_600, "1h"),
        (3_605, "1h 5s"),
        (86_400, "1d"),
        (1_763_395, "20d 9h 49m"),
        (90_061.5, "1d 1h 1m"),
        (86_405, "1d 5s"),
        (-90, "-1m 30s"),
        (0.000_05, "0.00005s"),
        (12.345_678, "12.3457s"),
        (timedelta(minutes=5), "5m"),
        (timedelta(microseconds=1), "0.000001s"),
        (timedelta(days=1000), "1000d"),
    ],
)
def test_a_duration_has_at_most_three_units(delta, text):
    assert duration(delta) == text


@each_row(
    ("number", "noun", "text"),
    [
        (0, "row", "0 rows"),
        (1, "key", "1 key"),
        (2, "key", "2 keys"),
        (2, "delivery", "2 deliveries"),
        (2_000, "failing point", "2,000 failing points"),
    ],
)
def test_a_noun_is_counted(number, noun, text):
    assert counted(number, noun) == text


@each_row(
    ("shown", "expected"),
    [
        (duration(timedelta(minutes=10) - timedelta(microseconds=1)), "10m"),
        (instant(datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC)), "2030-01-02 03:04:05+00:00"),
        (instant(None), "-"),
        # Aligned, and without a trailing space.
        (table(("a", "long"), [("1", "2"), ("333", "")]), "a    long\n1    2\n333"),
        (shortened("abcdefghij", 10), "abcdefghij"),
        (shortened("abcdefghijk", 10), "abcd...ijk"),
        (to_datetime(1_999), datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
        (to_datetime(10**30), datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC)),
        (to_timedelta(1_500_000_400), timedelta(seconds=1.5)),
    ],
)
def test_instants_texts_and_tables_are_cut_to_what_is_shown(shown, expected):
    assert shown == expected


@each_row(
    ("name", "text"),
    [
        ("app.jobs.SendWelcome", "SendWelcome"),
        ("app.orders.Order.ship_later", "Order.ship_later"),
        ("app.jobs.send_receipt", "send_receipt"),
        ("send_receipt", "send_receipt"),
        ("app.test_x.<locals>.make.<locals>.Inner", "Inner"),
        ("app.Outer.method.<locals>.note", "note"),
        ("app.Outer.Inner", "Outer.Inner"),
    ],
)
def test_a_name_is_shown_without_its_module(name, text):
    assert short_name(name) == text


@each_row(
    ("value", "text"),
    [
        (7, "7"),
        ("a", "'a'"),
        ("x" * 100, "'" + "x" * 27 + "..." + "x" * 28 + "'"),
        (list(range(10)), "[0, 1, 2, 3, 4, 5, ...]"),
        ({"b": 1, "a": [1, [2, [3, [4, [5]]]]]}, "{'b': 1, 'a': [1, [2, [3, [...]]]]}"),
        (
            [{"price": n, "sku": f"article {n}"} for n in range(9)],
            "[{'price': 0, 'sku': 'article 0'}, ...]",
        ),
        ("two\nlines", "'two\\nlines'"),
        (10**100, "1" + "0" * 17 + "..." + "0" * 19),
    ],
)
def test_a_value_is_shown_in_bearable_length(value, text):
    assert short_repr(value) == text


def test_a_value_that_cannot_be_shown_does_no_harm():
    class Broken:
        def __repr__(self):
            raise ValueError

    assert short_repr(Broken()).startswith("<Broken instance at 0x")


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no message")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError(), "ValueError"),
        (ValueError("first\nsecond"), "ValueError: first"),
        (KeyError("x"), "KeyError: 'x'"),
        (Unprintable(), "Unprintable: <its message cannot be told>"),
        (ValueError("caf\udce9"), "ValueError: caf\\udce9"),
    ],
)
def test_an_error_is_its_class_and_its_first_line(error, text):
    assert error_text(error) == text
