"""Explorations: what finding a double charge costs, beside tools that search orders of threads and tasks."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from rows import Row

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import NotIdempotent

_FRONTRUN_ALONE = "--frontrun"
_ALL_BUT_FRONTRUN = "--others"


class Gateway:
    def charge(self, number: int, key: object = None) -> int:
        return number


class Shop:
    """What the job works on, in memory."""

    gateway = Gateway()
    done: set[int] = set()  # noqa: RUF012 - the world replaces it
    charges: list[int] = []  # noqa: RUF012


def charge(number: int) -> None:
    if number in Shop.done:
        return
    Shop.gateway.charge(number)
    Shop.done.add(number)


def world() -> Iterator[Callable[[], dict[str, object]]]:
    Shop.done = set()
    with fake(Shop, "gateway", Gateway(), key="key") as gateway:
        yield lambda: {"charges": gateway.calls, "done": sorted(Shop.done)}


def exploring_rows() -> Iterator[Row]:
    # In a process without the libraries of other rows, each of which takes part in a check once it is imported.
    ours = subprocess.run(
        [sys.executable, __file__, _ALL_BUT_FRONTRUN], check=True, capture_output=True, text=True
    )
    peers: dict[str, float] = json.loads(ours.stdout)
    found = peers.pop("ours")
    for peer, milliseconds in (*peers.items(), *_frontrun()):
        shown = f"{found:.1f} ms / {milliseconds:.1f} ms"
        yield Row(f"the double charge / {peer}", shown, found / milliseconds, 1)


def _find() -> None:
    with contextlib.suppress(NotIdempotent):
        check_idempotent(charge, args=(1,), world=world)


def _all_but_frontrun() -> Iterator[tuple[str, float]]:
    yield "ours", _median(_find)
    if importlib.util.find_spec("interleave_test") is not None:
        yield "interleave-test", _median(_with_interleave_test)
    if importlib.util.find_spec("detangle") is not None:
        yield "detangle, of the coroutine", _median(_with_detangle)


def _frontrun() -> Iterator[tuple[str, float]]:
    runner = pathlib.Path(sys.executable).with_name("frontrun")
    if runner.exists():
        command = [runner, sys.executable, __file__, _FRONTRUN_ALONE]
        ended = subprocess.run(command, check=True, capture_output=True, text=True)
        yield "frontrun", float(ended.stdout.split()[-1])


class _State:
    def __init__(self) -> None:
        self.done = False
        self.charges: list[int] = []

    def pay(self) -> None:
        if self.done:
            return
        self.charges.append(1)
        self.done = True

    async def pay_later(self) -> None:
        if self.done:
            return
        await asyncio.sleep(0)
        self.charges.append(1)
        self.done = True


def _with_interleave_test() -> None:
    import interleave_test

    def model() -> None:
        state = _State()
        tasks = [interleave_test.spawn(state.pay) for _ in range(2)]
        for task in tasks:
            task.join()
        assert len(state.charges) == 1

    with contextlib.suppress(interleave_test.RaceFound):
        interleave_test.explore(model, iterations=500, seed=42)


def _with_detangle() -> None:
    import detangle

    async def model() -> None:
        state = _State()
        await asyncio.gather(state.pay_later(), state.pay_later())
        assert len(state.charges) == 1

    with contextlib.suppress(detangle.BugFound):
        detangle.explore(model, database=False)


def _with_frontrun() -> None:
    import frontrun

    frontrun.explore(
        setup=_State,
        workers=[_State.pay, _State.pay],
        invariant=lambda state: len(state.charges) == 1,
    )


def _median(run: Callable[[], object], repetitions: int = 15) -> float:
    """Return the median of the milliseconds of CPU that a call takes, the first left out."""
    run()
    taken = []
    for _ in range(repetitions):
        start = time.process_time()
        run()
        taken.append(1000 * (time.process_time() - start))
    return statistics.median(taken)


if __name__ == "__main__":
    if _FRONTRUN_ALONE in sys.argv:
        print(_median(_with_frontrun, 5))
    elif _ALL_BUT_FRONTRUN in sys.argv:
        print(json.dumps(dict(_all_but_frontrun())))
    else:
        for row in exploring_rows():
            print(row.what, row.measured, row.ratio, row.verdict)
