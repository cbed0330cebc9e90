"""What the first pass has noted: which test reaches which job, and how."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from .arrivals import Arrival, Spectator, Way

_WAYS: Final[Sequence[Way]] = get_args(Way)


@dataclass(frozen=True)
class Reach:
    """A job that a test reaches."""

    job: str
    nodeid: str
    way: Way
    #: The types of its arguments.
    shape: str
    raised: bool
    #: How long the job took, in seconds of computing.
    seconds: float


class Reached(Spectator):
    """Notes which jobs the tests reach, and changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        #: The test that runs.
        self.nodeid = ""
        self._reaches: dict[str, list[Reach]] = {}
        self._begun: dict[int, float] = {}
        self._passed: set[str] = set()

    def begins(self, arrival: Arrival) -> None:
        self._begun[id(arrival)] = time.process_time()

    def ended(self, arrival: Arrival) -> None:
        seconds = time.process_time() - self._begun.pop(id(arrival))
        name, way = arrival.name, arrival.way
        reach = Reach(name, self.nodeid, way, arrival.shape, arrival.raised, seconds)
        self._reaches.setdefault(name, []).append(reach)

    def note_passed(self, nodeid: str) -> None:
        """Note that a test has passed."""
        self._passed.add(nodeid)

    def jobs(self) -> list[str]:
        """Return the names of the jobs, those first that take the least time."""

        def seconds(job: str) -> float:
            return min(reach.seconds for reach in self._reaches[job])

        return sorted(self._reaches, key=seconds)

    def tests(self) -> set[str]:
        """Return the ids of all tests that reach a job."""
        return {reach.nodeid for reaches in self._reaches.values() for reach in reaches}

    def tests_of(self, job: str) -> list[str]:
        """Return the ids of the tests that reach a job."""
        return list(dict.fromkeys(reach.nodeid for reach in self._reaches[job]))

    def ways_of(self, job: str) -> list[Way]:
        """Return how tests reach a job."""
        found = {reach.way for reach in self._reaches[job]}
        return [way for way in _WAYS if way in found]

    def unfit(self, job: str, spared: Mapping[str, str]) -> Iterator[str]:
        """Yield why the second pass leaves tests out.

        Args:
            job: the name of the job.
            spared: the ids of the tests that run only once, each with the reason.
        """
        for reach in self._reaches[job]:
            if reach.nodeid in spared:
                yield spared[reach.nodeid]
            elif reach.nodeid not in self._passed:
                yield "Its tests did not pass."
            elif reach.raised:
                yield (
                    "It raises in its tests, so no delivery that ends well shows what it should do. Write a test "
                    "in which it returns."
                )

    def fit(self, job: str, spared: Mapping[str, str]) -> list[Reach]:
        """Return where the second pass may check a job: by the best way, one of each shape of arguments first.

        Args:
            job: the name of the job.
            spared: the ids of the tests that run only once, each with the reason.
        """
        usable = [
            reach
            for reach in self._reaches[job]
            if reach.nodeid in self._passed and reach.nodeid not in spared and not reach.raised
        ]
        usable.sort(key=lambda reach: _WAYS.index(reach.way))
        once = {(reach.nodeid, reach.shape): reach for reach in reversed(usable)}
        ordered = [reach for reach in usable if once[reach.nodeid, reach.shape] is reach]
        first = {reach.shape: reach for reach in reversed(ordered)}
        # Stable: within the two groups the order stays.
        return sorted(ordered, key=lambda reach: first[reach.shape] is not reach)
