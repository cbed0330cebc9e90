"""The processes of one example: the one that works, and those that were killed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, Final

from ...harness.time.waiting import comes_about
from ..engine.processes import ModuleGlobals, Place, Taken, file_of

#: Seconds in which a thread that hangs may still end when the dead have let go of everything.
_LAST_CHANCE: Final = 0.1


class Hanging(BaseException):
    """Ends a search at once: a delivery that hangs would hang in every attempt to make it shorter."""


class Worker:
    """Does one thing after the other, while whoever asked for it waits.

    A worker that was killed stands still where it was: nothing of its frames runs before `end`.
    """

    def __init__(self, time_limit: float) -> None:
        """Begin.

        Args:
            time_limit: seconds of real time that one thing may take.
        """
        self._time_limit = time_limit
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._answers: SimpleQueue[_Answer] = SimpleQueue()
        self._resumed = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="pytest-jobs-worker", daemon=True)
        self._thread.start()
        self._hanging = False
        #: Whether it stands still in the middle of something, for good.
        self.suspended = False
        #: Whether it does so until `resume`.
        self.paused = False

    def do(self, run: Callable[[], object]) -> Any:
        """Return what a function returns in this process; None when it stands still meanwhile.

        Raises:
            Hanging: when it does not come to an end.
            BaseException: what the function raises.
        """
        self._work.put(run)
        return self._answer()

    def suspend(self) -> None:
        """Stand still until the end: called by what runs in this process."""
        self.suspended = True
        self._hand_over()

    def pause(self) -> None:
        """Stand still until `resume`: called by what runs in this process."""
        self.paused = True
        self._hand_over()

    def resume(self) -> Any:
        """Let it go on that paused; return what `do` would have returned.

        Raises:
            Hanging: when it does not come to an end.
            BaseException: what it raises.
        """
        self.paused = False
        self._resumed.release()
        return self._answer()

    def end(self) -> None:
        """Let the process come to its end, and what it is in the middle of go on to where it ends.

        Raises:
            Hanging: when it does not.
        """
        self._work.put(None)
        self._resumed.release()
        # One that hangs was told of, and may wait for ever for what the dead did not let go of.
        ended = comes_about(self._ends, _LAST_CHANCE if self._hanging else self._time_limit)
        if not ended and not self._hanging:
            raise Hanging(
                f"A delivery that was stopped still runs after {self._time_limit} s: it goes on whatever is "
                "raised in it, or waits for something outside."
            )

    def _answer(self) -> Any:
        answers: list[_Answer] = []
        if not comes_about(
            lambda seconds: self._answers_within(seconds, answers), self._time_limit
        ):
            self._hanging = True
            raise Hanging(
                f"A delivery has not ended after {self._time_limit} s: most likely it waits for a lock that a "
                "delivery holds which was killed or overlapped, or for something outside. Let nothing in the "
                "process keep deliveries apart but globals of modules, which a new process has fresh, or raise "
                "`time_limit`."
            )
        (answer,) = answers
        if answer.error is not None:
            raise answer.error
        return answer.value

    def _answers_within(self, seconds: float, answers: list[_Answer]) -> bool:
        with suppress(Empty):
            answers.append(self._answers.get(timeout=seconds))
        return bool(answers)

    def _ends(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _hand_over(self) -> None:
        self._answers.put(_Answer(None, None))
        self._resumed.acquire()

    def _run(self) -> None:
        while (run := self._work.get()) is not None:
            try:
                answer = _Answer(run(), None)
            except BaseException as error:
                answer = _Answer(None, error)
            self._answers.put(answer)


class _Answer:
    __slots__ = ("error", "value")

    def __init__(self, value: Any, error: BaseException | None) -> None:
        self.value = value
        self.error = error


class Processes:
    """Gives each process a thread and fresh globals, and keeps the killed ones as they died."""

    def __init__(
        self,
        modules: Iterable[ModuleType],
        observe: Callable[[], Mapping[str, Any]],
        time_limit: float,
    ) -> None:
        """Begin with one process.

        Args:
            modules: whose globals each process has for itself.
            observe: returns the state, to find out which globals belong to the world.
            time_limit: seconds of real time that one delivery may take.
        """
        self._modules = tuple(modules)
        self._files = {module.__name__: file_of(module) for module in self._modules}
        self._observe = observe
        self._time_limit = time_limit
        self._globals = ModuleGlobals(self._modules)
        self._of_world: set[Place] = set()
        self._dead: list[Worker] = []
        self._working: Worker | None = None

    def do(self, run: Callable[[], object]) -> Any:
        """Return what a function returns in the process that works; None when it stands still meanwhile."""
        if self._working is None:
            self._working = Worker(self._time_limit)
        return self._working.do(run)

    def suspend(self) -> None:
        """Kill the process that works: called by what runs in it."""
        if self._working is not None:
            self._working.suspend()

    @property
    def killed(self) -> bool:
        """Whether the process that worked was killed."""
        return self._working is not None and self._working.suspended

    def pause(self) -> None:
        """Let the process that works stand still until `resume`: called by what runs in it."""
        if self._working is not None:
            self._working.pause()

    @property
    def paused(self) -> bool:
        """Whether the process that works stands still until `resume`."""
        return self._working is not None and self._working.paused

    def resume(self) -> Any:
        """Let the process go on that paused; return what `do` would have returned."""
        return None if self._working is None else self._working.resume()

    @contextmanager
    def beside(self, files: Callable[[], Collection[str]]) -> Generator[None, None, None]:
        """Let another process work for a block, in the place of the one that paused.

        Args:
            files: returns those whose code has run.
        """
        paused = self._working
        self._working = Worker(self._time_limit)
        here = self._exchange(None, files())
        try:
            yield
        finally:
            other, self._working = self._working, paused
            try:
                other.end()
            finally:
                self._exchange(here, files())

    def restart(self, files: Collection[str]) -> None:
        """Put another process in the place of the one that works.

        Args:
            files: those whose code has run.
        """
        worker, self._working = self._working, None
        if worker is not None and worker.suspended:
            self._dead.append(worker)
        elif worker is not None:
            worker.end()
        self._restart_only(self._of_processes(files))

    def end(self, files: Collection[str]) -> None:
        """Let all processes come to their end, the last one first, and put the globals back.

        Args:
            files: those whose code has run.
        """
        working = [] if self._working is None else [self._working]
        # What a delivery waits for that hangs, the dead may hold: they go first.
        hanging = [worker for worker in working if not worker.suspended]
        dead = [*self._dead, *(worker for worker in working if worker.suspended)]
        self._dead, self._working = [], None
        try:
            _end_all([*hanging, *dead])
        finally:
            self._restart_only(self._changed_in(files) - self._of_world)

    def _exchange(self, there: Taken | None, files: Collection[str]) -> Taken:
        kept = self._globals.changed() - self._of_processes(files)
        return self._globals.exchange(there, kept)

    def _of_processes(self, files: Collection[str]) -> set[Place]:
        """Return the globals that have changed and of which each process has its own."""
        candidates = self._changed_in(files)
        self._of_world |= self._globals.shown_by(self._observe, candidates - self._of_world)
        return candidates - self._of_world

    def _changed_in(self, files: Collection[str]) -> set[Place]:
        return {place for place in self._globals.changed() if self._files[place[0]] in files}

    def _restart_only(self, places: Collection[Place]) -> None:
        self._globals.restart(self._globals.changed() - set(places))


def _end_all(workers: list[Worker]) -> None:
    if workers:
        try:
            workers[-1].end()
        finally:
            _end_all(workers[:-1])
