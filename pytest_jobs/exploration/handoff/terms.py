"""The options of a check of a handoff."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from ...harness.records.targets import Target
from ...harness.records.texts import short_name
from ..engine.engine import Engine
from ..engine.run import Run
from ..histories.checked_job import Options, target_of
from ..histories.repeatable import Repeatable

#: Stands in `recover=` for whatever the schedules of the project fire.
SCHEDULE: Final = "schedule"
_ERROR: Final = 400


@dataclass(frozen=True, kw_only=True)
class HandoffOptions(Options):
    """The parameters of `check_handoff`, which describes them."""

    recover: tuple[Any, ...]
    within: timedelta
    #: What may stay after half a call.
    remains: Repeatable
    failed: Callable[[Any], bool] | None

    def check_used(self) -> None:
        super().check_used()
        self.remains.check_used()

    @property
    def by_schedule(self) -> bool:
        """Whether the schedules of the project find lost work."""
        return SCHEDULE in self.recover

    def recoveries(self, engine: Engine) -> Iterator[Target]:
        """Yield what the test calls to find lost work."""
        for place, job in enumerate(self.recover):
            if job != SCHEDULE:
                # The same in each history.
                yield engine.of_search.of(("recover", place), partial(target_of, engine, job))

    def told_error(self, run: Run) -> bool:
        """Return whether the caller was told that the call failed, or was told nothing."""
        if run.delivery is None:
            return True
        if run.error is not None:
            return not run.accepted
        result = run.delivery.result
        if self.failed is not None:
            return bool(self.failed(result))
        status = getattr(result, "status_code", None)
        return isinstance(status, int) and status >= _ERROR

    @property
    def recover_text(self) -> str:
        named = (
            each if isinstance(each, str) else getattr(each, "__name__", None) or repr(each)
            for each in self.recover
        )
        return ", ".join(map(short_name, named))
