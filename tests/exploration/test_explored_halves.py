"""What is neither as if a job had never begun, nor as if it was done: by row and by column."""

from tables import each_row

from pytest_jobs.exploration.engine.sameness.renaming import Fields, Keyed, Members
from pytest_jobs.exploration.histories.halves import columns_of, halves, has_only, other_values


def rows(*found):
    return tuple(Keyed(sorted(row.items())) for row in found)


def order(number, status, **more):
    return {"id": number, "status": status, **more}


def model(**columns):
    return Fields(("Order", tuple(sorted(columns.items()))))


OPEN, DONE, BUSY = order(1, "open"), order(1, "done"), order(1, "processing")
LOCK = {"name": "digest", "owner": "worker"}

#: The three ends of a part of the state, and the places of what is half done.
NEITHER = {
    "a status": (rows(OPEN), rows(BUSY), rows(DONE), [".id=1.status"]),
    "a status of a model": (
        (model(id=1, status="open"),),
        (model(id=1, status="busy"),),
        (model(id=1, status="done"),),
        [".id=1.status"],
    ),
    "a status of raw SQL": (
        Members([(1, "open")]),
        Members([(1, "busy")]),
        Members([(1, "done")]),
        ["[1][1]"],
    ),
    "a status of a mapping": (
        Keyed([("a", "open")]),
        Keyed([("a", "busy")]),
        Keyed([("a", "done")]),
        [".a"],
    ),
    "a row that only the work needs": ((), rows(LOCK), (), [".name=digest"]),
    "a temporary row": (
        rows(OPEN),
        rows(OPEN, order(9, "temporary")),
        rows(OPEN, order(2, "new")),
        [".id=9"],
    ),
    "a value where there is none": ((), "token", (), [""]),
    "an item that was taken, in a working list": ((), ("item",), (), [""]),
    "a text that is begun": ("", "half", "half of it", [""]),
    "a row that is taken away to be written anew": (rows(OPEN), (), rows(DONE), [".id=1"]),
}
#: The same, with nothing that is half done.
QUIET = {
    "as before": (rows(OPEN), rows(OPEN), rows(DONE)),
    "as after": (rows(OPEN), rows(DONE), rows(DONE)),
    "one column and not the other": (
        rows(order(1, "open", sent=False)),
        rows(order(1, "done", sent=False)),
        rows(order(1, "done", sent=True)),
    ),
    "some rows": ((), rows(OPEN), rows(OPEN, order(2, "open"))),
    "a number on its way": (
        rows({"id": 1, "n": 0}),
        rows({"id": 1, "n": 2}),
        rows({"id": 1, "n": 5}),
    ),
    "a number that begins": ((), 1, 3),
    "some items": (("a", "b", "c"), ("b", "c"), ()),
    "some lines": ("", "one\n", "one\ntwo\n"),
    "a row with another key, since one before it is missing": (
        (),
        rows(order(1, "of a child")),
        rows(order(1, "of the job"), order(2, "of a child")),
    ),
    "a random value with another number": (
        (),
        rows({"id": 1, "token": "<token 1>"}),
        rows({"id": 1, "token": "<token 2>"}),
    ),
    "rows that nothing tells apart": (
        ((1, "a"), (1, "a")),
        ((1, "a"), (2, "a")),
        ((2, "b"), (2, "b")),
    ),
}


@each_row("before, now, after, places", NEITHER.values())
def test_a_value_that_is_as_neither_end_is_half_done(before, now, after, places):
    found = halves({"part": before}, {"part": now}, {"part": after})

    assert [half.spot.path for half in found] == places


@each_row("before, now, after", QUIET.values())
def test_a_value_that_is_as_one_of_the_ends_or_on_its_way_is_not(before, now, after):
    assert halves({"part": before}, {"part": now}, {"part": after}) == []


#: A part of the state after one clean run, after a delivery that came later, and after a history that fails.
LATE = (
    (rows({"id": 1, "n": 0}), rows({"id": 1, "n": 1}), rows({"id": 1, "n": 62}), True),
    (rows({"id": 1, "n": 0}), rows({"id": 1, "n": 1}), (), False),
    (rows({"id": 1, "n": 0}), rows({"id": 1, "n": 1}), rows({"id": 1, "n": None}), False),
    (rows(order(1, "new")), rows(order(1, "again")), rows(order(1, "again")), True),
    (rows(order(1, "new")), rows(order(1, "again")), rows(order(1, "stuck")), False),
    (rows(order(1, "new", n=0)), rows(order(1, "new", n=1)), rows(order(1, "stuck", n=1)), False),
    (rows(order(1, None)), rows(order(1, "again")), rows(order(1, "again")), False),
    (("a",), (), (), False),
)


@each_row("once, late, now, is_late", LATE)
def test_a_value_that_is_another_one_after_each_later_delivery_is_no_difference(
    once, late, now, is_late
):
    values = other_values([("part", once, late)])

    assert has_only(("part", once, now), values) is is_late


@each_row("late, is_late", [({"two": 1}, True), ({}, False), ({"one": 1, "two": 1}, False)])
def test_calls_that_a_later_delivery_makes_otherwise_are_no_differences_if_they_are_as_many(
    late, is_late
):
    found = other_values([("mail calls", {"one": 1}, late)])

    assert found == ({("mail calls", ""): late} if is_late else {})
    assert has_only(("mail calls", {"one": 1}, late), found) is is_late
    assert not has_only(("mail calls", {"one": 1}, {"one": 1, "two": 1}), found)


#: A part of the state in two forms, and the columns that differ.
COLUMNS = (
    (rows(order(1, "open", n=0)), rows(order(1, "done", n=1)), ["n", "status"]),
    (Keyed([("db", rows(OPEN))]), Keyed([("db", rows(DONE))]), ["status"]),
    (rows(order(1, Keyed([("a", 1)]))), rows(order(1, Keyed([("a", 2)]))), ["status"]),
    (rows(OPEN), rows(OPEN, order(2, "new")), []),
    (Members([(1, "open")]), Members([(1, "done")]), []),
    (Keyed([("ann", 1)]), Keyed([("ann", 2)]), []),
)


@each_row("once, now, columns", COLUMNS)
def test_the_columns_that_differ_are_those_of_tables(once, now, columns):
    assert columns_of(once, now) == columns
