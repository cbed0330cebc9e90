"""The map of a check: the source of a job, and of each line what happens when a worker dies there."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import NotIdempotent, PartialExploration
from pytest_jobs.exploration.report.audience import Audience, audience
from pytest_jobs.exploration.report.mapped import exploration_map

ROOT = Path(__file__).parent


class Bank:
    def charge(self, amount): ...


bank = Bank()
paid = {}


def pay(order):
    if order in paid:
        return
    bank.charge(7)
    paid[order] = True


def add_up(order):
    total = 0
    for number in range(40):
        total += number
    paid[order] = total


def mark(order):
    paid[order] = label(order)


def label(order):
    return f"order {order}"


def pay_only_two(order):
    if order == 2:
        bank.charge(order)


def world():
    paid.clear()
    with fake(bank, "charge", lambda amount: None) as charges:
        yield lambda: {"charges": charges.calls, "paid": dict(paid)}


def mapped(job, *, root=ROOT, args=(7,), fails=False, **options):
    """Return the map of a check of a job."""
    maps = []
    reader = Audience()
    reader.when_checked.append(
        lambda target, explored: maps.append(exploration_map(target.name, explored, root=root))
    )
    token = audience.set(reader)
    try:
        if fails:
            with pytest.raises(NotIdempotent):
                check_idempotent(job, args=args, world=world, **options)
        else:
            check_idempotent(job, args=args, world=world, **options)
    finally:
        audience.reset(token)
    [found] = maps
    return found


def lines(found):
    """Return the lines of the first function, each as its text and its state."""
    return [(line["text"].strip(), line["state"]) for line in found["files"][0]["lines"]]


def line_of(found, text):
    [line] = [
        line for file in found["files"] for line in file["lines"] if line["text"].strip() == text
    ]
    return line


def test_every_line_says_what_happens_when_the_worker_dies_there():
    found = mapped(pay, fails=True)

    assert found["files"][0]["name"] == "test_exploration_map.py: pay"
    assert lines(found) == [
        ("def pay(order):", ""),
        ("if order in paid:", "safe"),
        ("return", ""),
        ("bank.charge(7)", "DUPLICATE"),
        ("paid[order] = True", "DUPLICATE"),
    ]
    assert (found["verdict"], found["tone"], found["call"]) == ("DUPLICATE", "bad", "(7)")


def test_a_line_has_the_story_of_each_point_and_the_worst_comes_first():
    stories = line_of(mapped(pay, fails=True), "bank.charge(7)")["stories"]

    assert [story["tone"] for story in stories] == ["bad", "ok"]
    assert stories[0]["title"] == "killed after charge: charge(7): DUPLICATE charge"
    assert "worker killed here, after charge: charge(7)" in stories[0]["text"]


def test_a_line_for_which_a_point_elsewhere_stands_says_so():
    found = mapped(pay, fails=True)
    story, at_the_end = line_of(found, "paid[order] = True")["stories"]

    assert story["title"] == (
        "killed here, which is the same as killed after charge: charge(7): DUPLICATE charge"
    )
    assert at_the_end["title"] == "killed after the last line, line 28: safe"


def test_a_job_that_is_safe_is_safe_at_each_line_and_in_each_function():
    found = mapped(mark)
    states = {line["state"] for file in found["files"] for line in file["lines"]}

    assert (found["verdict"], found["tone"]) == ("safe", "ok")
    assert [file["name"] for file in found["files"]] == [
        "test_exploration_map.py: mark",
        "test_exploration_map.py: label",
    ]
    assert states == {"", "safe"}
    assert found["elsewhere"] == []


def test_a_line_in_a_loop_is_drawn_once():
    found = mapped(add_up)

    assert line_of(found, "total += number")["state"] == "safe"
    assert len(line_of(found, "total += number")["stories"]) == 1


def test_the_points_of_a_loop_that_are_all_tried_do_not_flood_its_line():
    found = mapped(add_up, every_line=True)

    assert len(line_of(found, "total += number")["stories"]) == 8


def test_other_histories_that_fail_have_their_first_story():
    other = mapped(pay, fails=True)["elsewhere"]

    assert [one["title"].partition(":")[0] for one in other] == [
        "reply_lost",
        "overlap at 4 points",
    ]
    assert all(one["text"].startswith("delivery 1") for one in other)


def test_a_line_at_which_no_worker_was_killed_is_not_called_safe():
    found = mapped(mark, histories=["twice"])

    assert line_of(found, "paid[order] = label(order)")["state"] == "not tried"
    assert line_of(found, "paid[order] = label(order)")["tone"] == "quiet"


def test_a_check_that_was_cut_short_is_partly_explored(monkeypatch):
    limit = "pytest_jobs.exploration.engine.world.TimeLimit.__call__"
    monkeypatch.setattr(limit, lambda limit: False)
    with pytest.warns(PartialExploration):
        found = mapped(pay, histories=["crash"], allow_partial=True)

    assert (found["verdict"], found["tone"]) == ("partly explored", "quiet")
    assert line_of(found, "bank.charge(7)")["state"] == "not tried"


def test_of_drawn_arguments_those_that_fail_are_drawn():
    found = mapped(pay_only_two, args=(st.integers(1, 3),), fails=True)

    assert found["call"] == "(2)"
    assert found["summary"].endswith(("sets of arguments", "set of arguments"))


def test_a_file_outside_of_the_root_has_its_name_alone():
    found = mapped(mark, root=ROOT / "elsewhere")

    assert found["files"][0]["name"] == "test_exploration_map.py: mark"
