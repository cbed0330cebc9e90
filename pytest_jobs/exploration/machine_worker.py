"""A process that performs jobs, as a thread that can be stopped for good in the middle of one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

from ..harness.time.waiting import comes_about

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
