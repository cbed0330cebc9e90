"""What a check tries if there is no time for everything."""

from __future__ import annotations

import re
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from generated_jobs import Generated

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError
from pytest_jobs.exploration import check
from pytest_jobs.exploration.engine import world as engine_world

_LINES = "".join(f"    a = {number}\n" for number in range(40))
_CHARGED_IN_THE_END = Generated(
    f"def job():\n    if memory.x: return\n{_LINES}    gateway.charge(1)\n    memory.x = 1\n", ()
)


class Histories:
    """Time for twenty histories, each of which takes a second."""

    is_over = False

    def __init__(self, seconds: float, share: float = 1.0) -> None:
        self._left = 20

    def __call__(self) -> bool:
        if self._left == 0:
            return False
        self._left -= 1
        return True

    @property
    def computed(self) -> float:
        return 20.0 - self._left

    def suffices(self, done: int, more: int) -> bool:
        return done + more <= 20

    def half(self) -> Histories:
        return self


@pytest.fixture(autouse=True)
def _limited(monkeypatch):
    monkeypatch.setattr("pytest_jobs.exploration.check.TimeLimit", Histories)


def test_points_beside_effects_are_tried_before_other_lines():
    with (
        _CHARGED_IN_THE_END.ready() as (job, world),
        pytest.raises(DuplicateEffect, match=r"\[crash"),
    ):
        check_idempotent(job, world=world, histories=["crash"], every_line=True)


def test_the_error_says_how_long_all_take_and_what_to_do():
    source = _CHARGED_IN_THE_END.source.replace("charge(1)", "charge(1, key=1)")
    with (
        Generated(source, ()).ready() as (job, world),
        pytest.raises(ExplorationError) as raised,
    ):
        check_idempotent(job, world=world, histories=["crash"], every_line=True)

    text = str(raised.value)
    assert text.startswith("10 s did not suffice: Explored 20 of 46 histories at 46 points.")
    assert "All of them take about 46 s. Raise time_limit=" in text
    assert "trace=" in text
    assert "atomic=" in text
    assert text.endswith("accept a part by allow_partial=True.")


def test_the_error_names_no_time_where_no_history_was_tried(monkeypatch):
    monkeypatch.setattr(Histories, "__call__", lambda limit: False)
    with (
        _CHARGED_IN_THE_END.ready() as (job, world),
        pytest.raises(ExplorationError) as raised,
    ):
        check_idempotent(job, world=world, histories=["crash"], every_line=True)

    assert re.match(
        r"10 s did not suffice: Explored 0 of \d+ histories.*\. Raise time_limit=",
        str(raised.value),
    )


def test_looks_that_would_take_too_long_leave_time_for_histories(monkeypatch):
    clock = SimpleNamespace(passed=0.0, now=lambda: clock.passed, computed=lambda: clock.passed)
    monkeypatch.setattr(engine_world, "SYSTEM", clock)
    monkeypatch.setattr(check, "TimeLimit", engine_world.TimeLimit)

    def looked_at_for_a_second(snapshot):
        clock.passed += 1
        return snapshot()

    with _CHARGED_IN_THE_END.ready() as (job, world):

        @contextmanager
        def slow():
            with world() as snapshot:
                yield lambda: looked_at_for_a_second(snapshot)

        with pytest.raises(DuplicateEffect):
            check_idempotent(job, world=slow, histories=["crash"], time_limit=40)
