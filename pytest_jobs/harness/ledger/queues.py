"""Which queues workers serve, and in which order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ...core.foundation.options import nearest
from ...core.foundation.vocabulary import in_our_words
from ...errors import QueuesError, SignatureError, UnservedQueueError
from ..records.record import JobRecord
from ..records.texts import short_name

#: One queue: its name, maybe with a weight.
Listed = str | tuple[str, int]


class Queues:
    """The queues that workers serve, in strict order or by weights, and further settings of the workers.

    `load_queues` reads them from a file. Under a harness `jobs.serve(queues)` lets the verbs take jobs
    as such workers do. None of this runs in production.
    """

    __slots__ = (
        "concurrency",
        "dead_max_jobs",
        "dead_timeout",
        "left_out",
        "max_retries",
        "names",
        "seed",
        "source",
        "weights",
    )

    #: The names of the queues, in the order in which they are listed.
    names: tuple[str, ...]
    #: The weights of the queues by their names; empty for a strict order.
    weights: Mapping[str, int]
    #: The seed of the draws among weighted queues: the same seed draws the same in every run.
    seed: int
    #: How many jobs the workers perform at once, for `jobs.drain(workers=)`; None when it is not given.
    concurrency: int | None
    #: How often a job is retried that does not say so itself: one less than `attempts`. None when it is not given.
    max_retries: int | None
    #: How many dead letters are kept; None when it is not given.
    dead_max_jobs: int | None
    #: For how many seconds dead letters are kept; None when it is not given.
    dead_timeout: int | None
    #: The name of these queues in messages.
    source: str
    #: Further settings of the file, which have no effect here.
    left_out: tuple[str, ...]

    @in_our_words(SignatureError)
    def __init__(
        self,
        queues: Iterable[Listed] | Mapping[str, int],
        *,
        seed: int = 0,
        concurrency: int | None = None,
        max_retries: int | None = None,
        dead_max_jobs: int | None = None,
        dead_timeout: int | None = None,
        source: str = "the queues",
        left_out: Iterable[str] = (),
    ) -> None:
        """Take a list of queues.

        Args:
            queues: names in a strict order, the first always before the second. Or weights by name, or
                pairs of name and weight: jobs of weight 2 are taken twice as often as those of weight 1,
                which is also the weight of a single name among pairs. In a strict order `"mail*"` stands for
                every queue that begins so, and `["*"]` for all queues, without an order among them.
            seed: the seed of the draws.
            concurrency: how many jobs the workers perform at once.
            max_retries: how often a job is retried that does not say so itself.
            dead_max_jobs: how many dead letters are kept.
            dead_timeout: for how many seconds dead letters are kept.
            source: their name in messages.
            left_out: further settings of a file.

        Raises:
            QueuesError: when the queues or settings contradict each other, or are of a wrong type.
        """
        self.source = source
        listed = _listed(queues, source)
        self.names = tuple(name for name, _ in listed)
        weighted = any(weight is not None for _, weight in listed)
        weights = {name: 1 if weight is None else weight for name, weight in listed}
        self.weights = MappingProxyType(weights if weighted else {})
        for name in self.names:
            if "*" in name[:-1]:
                raise QueuesError(
                    f"{self.source}: {name!r} has a * in its midst: it stands at the end, as in 'mail*'."
                )
            if name.endswith("*") and self.weights:
                raise QueuesError(
                    f"{self.source}: {name!r} stands for several queues and cannot have a weight: name them."
                )
        if "*" in self.names and len(self.names) > 1:
            raise QueuesError(
                f"{self.source}: '*' beside others takes from all queues by priority alone, as Solid Queue does, "
                "so that the others would mean nothing: write '*' alone, or leave it out."
            )
        if type(seed) is not int:
            raise QueuesError(f"{source}: seed={seed!r} is not a seed: write an int.")
        self.seed = seed
        self.concurrency = _number(concurrency, "concurrency", 1, source)
        self.max_retries = _number(max_retries, "max_retries", 0, source)
        self.dead_max_jobs = _number(dead_max_jobs, "dead_max_jobs", 1, source)
        self.dead_timeout = _number(dead_timeout, "dead_timeout", 1, source)
        self.left_out = tuple(left_out)

    @property
    def strict(self) -> bool:
        """Whether the queues are in a strict order, not weighted."""
        return not self.weights

    @property
    def attempts(self) -> int | None:
        """`max_retries` as a number of runs, for `retry_on(attempts=)`; None when it is not given."""
        return None if self.max_retries is None else self.max_retries + 1

    @property
    def described(self) -> str:
        """The order in words."""
        if self.weights:
            weighted = ", ".join(f"{name} {weight}" for name, weight in self.weights.items())
            return f"{weighted}, seed {self.seed}"
        return " before ".join(self.names)

    def place_of(self, queue: str | None) -> int | None:
        """Return the place of a queue in the list, counted from 0; None when it is not served."""
        if queue is None:
            return 0 if self.names == ("*",) else None
        for place, name in enumerate(self.names):
            if name == queue or (name.endswith("*") and queue.startswith(name[:-1])):
                return place
        return None

    def __repr__(self) -> str:
        return f"<Queues {self.described}>"


def _listed(queues: object, source: str) -> list[tuple[str, int | None]]:
    """Return names with their weights, or None for those that have none."""
    if isinstance(queues, str) or not isinstance(queues, Iterable):
        raise QueuesError(
            f"{source}: {queues!r} is not a list of queues: write ['critical', 'default'], or weights as in "
            "{'critical': 3, 'default': 1}."
        )
    entries: list[object] = [*queues.items()] if isinstance(queues, Mapping) else [*queues]
    if not entries:
        raise QueuesError(f"{source}: there are no queues, so workers would serve none: name one.")
    listed: dict[str, int | None] = {}
    for entry in entries:
        name, weight = entry, None
        if isinstance(entry, tuple | list):
            if len(entry) != 2:
                raise QueuesError(
                    f"{source}: {entry!r} is not a queue: write a name, or a name and its weight."
                )
            name, weight = entry
            if type(weight) is not int or weight < 1:
                raise QueuesError(
                    f"{source}: {name!r} has the weight {weight!r}: write an int of at least 1, or leave the "
                    "queue out for workers that are not to serve it."
                )
        if not isinstance(name, str) or not name.strip():
            raise QueuesError(f"{source}: {name!r} names no queue: write a text such as 'mailers'.")
        if name in listed:
            raise QueuesError(
                f"{source}: {name!r} is there twice: name it once, with a weight if it is to be taken from "
                "more often."
            )
        listed[name] = weight
    return [*listed.items()]


def _number(given: object, name: str, least: int, source: str) -> int | None:
    if given is None:
        return None
    if type(given) is not int or given < least:
        raise QueuesError(f"{source}: {name} is {given!r}: write an int of at least {least}.")
    return given


#: The shelf of workers that take from every queue, without an order among them.
_EVERY = "*"


class Serving:
    """Chooses the shelf from which workers take next. A queue's jobs stand on a shelf with its name."""

    __slots__ = ("_places", "_random", "queues")

    def __init__(self, queues: Queues) -> None:
        self.queues = queues
        self._places: dict[str | None, int | None] = {}
        self._random = random.Random(queues.seed)  # noqa: S311 - the same draws in every run

    def shelf(self, queue: str | None) -> str | None:
        """Return the shelf of a queue's jobs; None when no worker serves the queue."""
        if self._place(queue) is None:
            return None
        return _EVERY if queue is None or self.queues.names == (_EVERY,) else queue

    def choose(self, shelves: Iterable[str]) -> str:
        """Return the shelf from which the next job is taken, among those that have one."""
        in_order = sorted(shelves, key=lambda shelf: (self._place(shelf) or 0, shelf))
        if self.queues.strict:
            return in_order[0]
        weights = [self.queues.weights[shelf] for shelf in in_order]
        return self._random.choices(in_order, weights)[0]

    def _place(self, queue: str | None) -> int | None:
        try:
            return self._places[queue]
        except KeyError:
            place = self._places[queue] = self.queues.place_of(queue)
            return place

    def unserved(self, left: Iterable[JobRecord], verb: str) -> UnservedQueueError:
        """Return the error for jobs that a verb leaves because no worker serves their queues."""
        counts = Counter((short_name(record.name), record.queue) for record in left)
        jobs = ", ".join(f"{count} {name} in {queue!r}" for (name, queue), count in counts.items())
        names = {queue for _, queue in counts if queue is not None}
        meant = [nearest(name, self.queues.names) for name in names]
        hint = f" ({meant[0][2:]})" if len(names) == 1 and meant[0] != "." else ""
        return UnservedQueueError(
            f"{verb} leaves jobs that no worker serves, and which would wait for ever: {jobs}{hint}. Served are "
            f"{', '.join(self.queues.names)}, by {self.queues.source}. Name the queue there, enqueue the job into "
            "one of these, or leave it to other workers by exclude= or queue=."
        )
