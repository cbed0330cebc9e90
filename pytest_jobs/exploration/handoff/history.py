"""One world with one call in it, and everything that follows although nobody calls again, by the options."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from http.cookies import BaseCookie
from typing import Any, Final, cast

from ...errors import ExplorationError
from ...harness.records.instants import duration_ns
from ...harness.records.record import JobRecord
from ...harness.records.targets import Target
from ...harness.records.texts import duration, short_name
from ..engine.acts import Act
from ..engine.engine import Engine
from ..engine.functions import FunctionBridge
from ..engine.run import Run
from ..engine.sameness.differences import differences
from ..engine.world import TimeLimit
from ..histories.checked_job import Options, target_of
from ..histories.children import MOST_CHILDREN
from ..histories.clean_run import Reference, check_not_refused
from ..histories.history import History
from ..histories.plans import Plan
from ..histories.repeatable import Repeatable
from ..histories.verdicts import counting_differences
from ..stores.account import Account

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


_MESSAGE: Final = "message"
_MESSAGES: Final = f"{_MESSAGE} calls"
#: The messages that are left, and those that were performed by jobs of which nothing is seen.
MESSAGES: Final = frozenset(("enqueue calls", _MESSAGES))


class HandoffHistory(History):
    """A world, one call in it, and what follows: jobs that are due within the time, and what finds lost work."""

    #: Whether anything follows the call, and whether lost work is looked for then.
    follows = True
    recovers = True

    @contextmanager
    def opened(self) -> Generator[History, None, None]:
        with ExitStack() as stack:
            client = getattr(self._checked.target.job, "__self__", None)
            cookies = getattr(client, "cookies", None)
            if isinstance(cookies, BaseCookie):
                # Those of a client of Django outlive the history whose session they name.
                stack.callback(setattr, client, "cookies", copy.deepcopy(cookies))
            yield stack.enter_context(super().opened())

    @property
    def terms(self) -> HandoffOptions:
        return cast(HandoffOptions, self._options)

    @property
    def redelivers_on_raise(self) -> bool:
        """No verdict depends on a redelivery that the library does not make: there is none."""
        return True

    def comes_again(self, run: Run) -> bool:
        return not self._is_call and super().comes_again(run)

    def comes_again_after_death(self, *, outage: bool) -> bool:
        return not self._is_call and super().comes_again_after_death(outage=outage)

    @property
    def _is_call(self) -> bool:
        """Whether the producer is a function, which no library calls again."""
        return isinstance(self._checked.target.bridge, FunctionBridge)

    # What follows

    def _empty_queue(self) -> None:
        """Perform what is due within the time, and look for lost work at once and at the end of it.

        What is due later stays in the queue, and its enqueue is compared.
        """
        if not self.follows:
            return
        clock, terms = self.engine.clock, self.terms
        horizon_ns = clock.now_ns() + duration_ns(terms.within.total_seconds())
        self.recover()
        if self.recovers and SCHEDULE in terms.recover:
            self._fire_schedules(horizon_ns)
        self._perform_until(horizon_ns)
        self._wait_until(max(horizon_ns, clock.now_ns()))
        # What leaves young work alone finds it now.
        self.recover()

    def recover(self) -> None:
        """Perform what is due, call what finds lost work, and perform what that enqueues."""
        self._perform_until(self.engine.clock.now_ns())
        if not self.recovers:
            return
        for target in self.terms.recoveries(self.engine):
            self._perform_child(self._enqueued(target), "recover")
            if self._learns and self.children[-1].run.spinning:
                self.refuse(
                    f"recover={short_name(target.name)} comes to no end after a clean call. Let it look once, and "
                    "return."
                )
            self._perform_until(self.engine.clock.now_ns())

    def _fire_schedules(self, until_ns: int) -> None:
        """Let the schedules of the project find lost work; raise if there is none."""
        if not self._fire_until(until_ns, "recover"):
            raise ExplorationError(
                f'recover="schedule", and no recurring task fires within {duration(self.terms.within)}: let '
                "jobs.recurring(...) or the schedule of the library have the task that finds lost work, or say "
                "within=."
            )

    # What is compared

    def _effects_that_count(self) -> Iterator[Act]:
        """Yield the effects that count, with those messages apart that were performed: they only lead to work."""
        known: set[str] = set()
        for act in super()._effects_that_count():
            if id(act) not in self._performed:
                yield act
            elif repr(act.value) not in known:
                known.add(repr(act.value))
                yield replace(act, kind=_MESSAGE)

    # What happens while the call stands still

    def take(self) -> Run:
        """Let workers take what is in the queue, and return a delivery."""
        while len(self.children) < MOST_CHILDREN and not self._shows_nothing():
            record = next(self._takeable(), None)
            if record is None:
                break
            self._perform_child(record, "meanwhile")
            if self.children[-1].run.spinning:
                # It waits for the call, as for a lock of the database, and goes on after it.
                self.ledger.put_back([record])
                break
        return self.runs[0]

    def _takeable(self) -> Iterator[JobRecord]:
        """Yield the jobs that a worker sees now: those that are due, and that wait for no commit."""
        now_ns = self.engine.clock.now_ns()
        for record in self._pending_children():
            is_row = record.commit is not None and record.commit.state == "waiting"
            if not is_row and (record.envelope.due_ns or 0) <= now_ns:
                yield record

    def recover_meanwhile(self) -> Run:
        """Look for lost work, let workers take what is found, and return a delivery."""
        for target in self.terms.recoveries(self.engine):
            self._perform_child(self._enqueued(target), "meanwhile")
        return self.take()

    def lose(self, act: Act | None) -> bool:
        """Let the message vanish that an effect has enqueued; return whether it was there."""
        for record in list(self._pending_children()):
            if act is not None and self.sink.act_of(record) is act:
                self.sink.removed(record)
                return True
        return False


class HandoffReference(Reference):
    """The clean ends of a call: with all that follows, without that, and as if it had never been made."""

    makes = HandoffHistory

    #: What is observed if there is no call: time passes, and lost work is looked for.
    never: Mapping[str, Any] = {}
    #: What is observed when the call has ended, and no message was delivered.
    mid: Mapping[str, Any] = {}
    #: What is observed after a call, and all that follows, if nobody looks for lost work.
    plain: Mapping[str, Any] = {}
    #: Whether the messages lead to something that is seen.
    _is_work_seen = True
    #: The names of the jobs whose messages the library may lose.
    losable: frozenset[str] = frozenset()

    def refer(self, limit: TimeLimit | None) -> None:
        before = self.wanted
        super().refer(limit)
        if self.wanted is not before:
            self._look_at_others()
            self._check()

    def wanted_after(self, plan: Plan, account: Account) -> Mapping[str, Any]:
        before = self.wanted
        wanted = super().wanted_after(plan, account)
        if self.wanted is not before:
            self._look_at_others()
        return wanted

    @property
    def _terms(self) -> HandoffOptions:
        return cast(HandoffOptions, self.checked.options)

    def differing(
        self, wanted: Mapping[str, Any], found: Mapping[str, Any]
    ) -> list[tuple[str, Any, Any]]:
        """Return what differs, and may not.

        That a message was performed counts only where nothing is seen of what any of them leads to.
        """
        if self._terms.remains:
            wanted, found = (
                {name: self._without_columns(name, form) for name, form in each.items()}
                for each in (wanted, found)
            )
        differing = counting_differences(wanted, found, self._terms.repeatable)
        own = [each for each in differing if each[0] != _MESSAGES]
        return own if self._is_work_seen else differing

    def _without_columns(self, part: str, form: Any) -> Any:
        """Return a part of the state without the columns that `remains=` names: a sweep may count its attempts."""
        if not isinstance(form, tuple):
            return form

        def is_left_out(each: Any) -> bool:
            is_column = isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], str)
            return is_column and self._terms.remains.takes_column(part, each[0])

        return tuple(self._without_columns(part, each) for each in form if not is_left_out(each))

    @property
    def recover_does_all(self) -> bool:
        """Whether the end is the same without the call, since it only does what is found anyway."""
        return not self.differing(self.wanted, self.never)

    def in_turn(self) -> Iterator[Mapping[str, Any]]:
        """Yield how it ends if lost work is looked for right before the call, and right after it."""
        for is_before in (True, False):
            history = self._history()
            with history.opened():
                if is_before:
                    history.recover()
                history.deliver_cleanly()
                if not is_before:
                    history.recover()
                yield history.observed_at_end()

    def _history(self) -> HandoffHistory:
        return cast(HandoffHistory, self.history())

    def _look_at_others(self) -> None:
        history = self._history()
        history.follows = False
        with self.remembering(history):
            history.deliver_cleanly()
            self.mid = history.observed_at_end()
            leaves = [
                {name: value for name, value in each.items() if name not in MESSAGES}
                for each in (self.mid, self.wanted)
            ]
            self._is_work_seen = bool(differences(*leaves))
            self.losable = frozenset(
                record.name for record in history.ledger.pending() if self._may_be_lost(record)
            )
        history = self._history()
        with history.opened():
            self.never = history.observed_at_end()
            check_not_refused(history)
        self.plain = self.wanted
        if self._terms.recover:
            history = self._history()
            history.recovers = False
            with history.opened():
                history.deliver_cleanly()
                self.plain = history.observed_at_end()

    def _may_be_lost(self, record: JobRecord) -> bool:
        """Return whether the library, as configured, may lose a message that it has accepted."""
        target = self.checked.engine.harness.targets.find(record.source.job_of(record))
        if target is None:
            return False
        return target.bridge.delivery_semantics(target.job).acknowledged == "before"

    def check_succeeded(self, history: History) -> None:
        super().check_succeeded(history)
        run = history.runs[0]
        if run.delivery is not None and self._terms.told_error(run):
            raise ExplorationError(
                f"The clean call of {self.checked.name} ends with {run.delivery.result!r}, which tells its "
                "caller that it failed. Let the world have what the call needs, or say by failed= which results "
                "are failures."
            )

    def _check(self) -> None:
        """Raise if nothing can be said of the call."""
        terms, name = self._terms, self.checked.name
        for target in terms.recoveries(self.checked.engine):
            why = self.children.not_performed.get(target.name)
            if why is not None:
                raise ExplorationError(
                    f"recover={target.name} fails after a clean call: {why}. Let it find what is lost, and leave "
                    "alone what is done."
                )
        if not self.unseen and self.recover_does_all and not terms.recover:
            raise ExplorationError(
                f"{name} ends as if it had never been called, so nothing of it can be lost: let the state show "
                "what it and its jobs do."
            )
