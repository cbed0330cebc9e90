"""The processes of one example: the one that works, one that is paused, and those that were killed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Final

from ...harness.time.waiting import comes_about
from ..engine.memory.processes import ProcessMemory
from ..engine.threads import OwnThread, State

#: Seconds in which a hanging thread may still end, once the killed ones have released everything.
_LAST_CHANCE: Final = 0.1


class Hanging(BaseException):
    """Ends a search at once: a delivery that hangs would hang in every attempt to shrink the example."""


class Process:
    """A thread that makes one delivery after another.

    A killed process stands still where it was: nothing in its frames runs before `end`.
    """

    def __init__(self, time_limit: float) -> None:
        self._time_limit = time_limit
        self._thread: OwnThread[object] = OwnThread(
            lambda wait, thread: comes_about(wait, time_limit), stays=True
        )
        self._hangs = False
        #: Whether it stands still for good.
        self.killed = False
        #: Whether it stands still until `resume`.
        self.paused = False

    def do(self, run: Callable[[], object]) -> None:
        """Call a function, until it ends, pauses or is killed. Its error is raised; it may be `Hanging`."""
        self._wait(self._thread.do(run))

    def kill(self) -> None:
        """Stand still until `end`: called by the function."""
        self.killed = True
        self._thread.pause(for_good=True)

    def pause(self) -> None:
        """Stand still until `resume`: called by the function."""
        self.paused = True
        self._thread.pause(for_good=True)

    def resume(self) -> None:
        """Let the function go on that has paused, and wait as `do` does."""
        self.paused = False
        self._wait(self._thread.resume())

    def _wait(self, state: State) -> None:
        if state == "blocked":
            self._hangs = True
            raise Hanging(
                f"A delivery has not ended after {self._time_limit} s: most likely it waits for a lock that a "
                "delivery holds which was killed or overlapped, or for something outside. Let nothing in the "
                "process keep deliveries apart but globals of modules, which a new process has fresh, or raise "
                "`time_limit`."
            )
        if state == "ended":
            self._thread.result()

    def end(self) -> None:
        """Let the process end, and a function that stands still go on to its end, or raise `Hanging`."""
        # One that hangs was reported already. It may wait for ever for what a killed one keeps.
        limit = _LAST_CHANCE if self._hangs else self._time_limit
        ended = self._thread.end(lambda wait: comes_about(wait, limit))
        if not ended and not self._hangs:
            raise Hanging(
                f"A delivery that was stopped still runs after {self._time_limit} s: it goes on whatever is "
                "raised in it, or waits for something outside."
            )


class Processes:
    """Gives each process a thread and a memory of its own, and keeps the killed ones as they died."""

    def __init__(self, memory: ProcessMemory, time_limit: float) -> None:
        self._memory = memory
        self._time_limit = time_limit
        self._dead: list[Process] = []
        #: The process that makes the next delivery.
        self.working = Process(time_limit)

    @contextmanager
    def beside(self) -> Generator[None, None, None]:
        """Let another process work for a block, beside the one that has paused."""
        paused, self.working = self.working, Process(self._time_limit)
        here = self._memory.switch_to(None)
        try:
            yield
        finally:
            other, self.working = self.working, paused
            try:
                other.end()
            finally:
                self._memory.switch_to(here)

    def restart(self) -> None:
        working, self.working = self.working, Process(self._time_limit)
        if working.killed:
            self._dead.append(working)
        else:
            working.end()
        self._memory.restart()

    def end(self) -> None:
        """End all processes, the last one first, and their memory."""
        # A hanging delivery may wait for something that a killed one holds, so the killed ones end first.
        last = [*self._dead, self.working] if self.working.killed else [self.working, *self._dead]
        self._dead = []
        with ExitStack() as stack:
            stack.callback(self._memory.end)
            for process in last:
                stack.callback(process.end)
