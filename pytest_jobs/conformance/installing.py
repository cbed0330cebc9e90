"""Tests of installing, uninstalling and sandboxes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ..errors import BridgeError
from ..harness.jobs import Jobs
from ..harness.ledger.ledger import Ledger
from ..harness.records.bridge import Bridge
from ..harness.time.clock import VirtualClock
from . import bodies
from .case import Case, Library, send, sent_record


class Installing(Case):
    """A bridge leaves nothing behind, and reports to one harness at a time."""

    def test_everything_is_as_it_was_after_a_harness(
        self, library: Library, bridge: Bridge, noted: list[Any]
    ) -> None:
        before = _attributes(library)

        with Jobs([bridge], mode="record") as jobs:
            # The session of pytest may have kept the library patched since another test.
            assert _attributes(library) != before or _ours_in(before)
            _work(library, jobs)

        for old, new in zip(before, _attributes(library), strict=True):
            # A library may have computed some attributes for the first time: those do not matter here.
            assert {name: id(new.get(name)) for name in old} == {n: id(v) for n, v in old.items()}
            assert _ours_in([new]) == _ours_in([old])

    def test_everything_is_as_it_was_after_errors(
        self, library: Library, bridge: Bridge, noted: list[Any]
    ) -> None:
        with Jobs([bridge], mode="record") as jobs:
            _work(library, jobs)
        before = _attributes(library)

        with contextlib.suppress(ZeroDivisionError), Jobs([bridge], mode="record") as jobs:
            _work(library, jobs)
            raise ZeroDivisionError

        assert _attributes(library) == before

    def test_a_bridge_is_used_for_one_harness_after_another(
        self, library: Library, bridge: Bridge, noted: list[Any]
    ) -> None:
        for _ in range(2):
            with Jobs([bridge], mode="record") as jobs:
                send(library, library.jobs.note, 7)
                jobs.drain()
                assert len(jobs.enqueued) == 1

    def test_a_bridge_that_is_installed_cannot_be_installed_again(
        self, bridge: Bridge, jobs: Jobs
    ) -> None:
        with pytest.raises(BridgeError, match="installed"):
            bridge.install(Ledger(VirtualClock()), lambda: 0.0)

    def test_the_inner_of_two_harnesses_gets_the_jobs(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        send(library, library.jobs.note, "outer")

        with Jobs([library.bridge()], mode="record") as inner:
            send(library, library.jobs.note, "inner")
            inner.drain()

        send(library, library.jobs.note, "outer again")
        jobs.drain()
        assert len(inner.enqueued) == 1
        assert len(jobs.enqueued) == 2
        assert noted == ["inner", "outer", "outer again"]

    def test_a_sandbox_has_a_sink_of_its_own(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        ledger = Ledger(VirtualClock())

        with bridge.sandbox(ledger):
            send(library, library.jobs.note, "inside")
        record = sent_record(jobs, library, library.jobs.note, "outside")

        assert [inside.params["value"] for inside in ledger.records] == ["inside"]
        assert list(jobs.enqueued) == [record]


def _work(library: Library, jobs: Jobs) -> None:
    send(library, library.jobs.note, 7)
    send(library, library.jobs.parent, 8)
    send(library, library.jobs.fails, 9)
    send(library, library.jobs.retries, 10)
    jobs.drain(raise_errors=False)
    send(library, library.jobs.breaks)
    with pytest.raises(bodies.Killed):
        jobs.drain()


def _attributes(library: Library) -> list[Mapping[str, object]]:
    return [dict(vars(patched)) for patched in library.patched()]


def _ours_in(attributes: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the names of the attributes that bridges have put there."""
    return [name for each in attributes for name, value in each.items() if _is_ours(value)]


def _is_ours(value: object) -> bool:
    """Say whether an object, or its class, is defined by a bridge."""
    modules = (getattr(value, "__module__", None), type(value).__module__)
    return any(str(module).startswith("pytest_jobs.bridges") for module in modules)
