"""What may be missing since no commit came, or a rollback did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from ..harness.commits.transactions import CommitCallback
from ..harness.records.texts import folding
from . import messages
from .search import Search

T = TypeVar("T")


def commit_hints(search: Search[T]) -> Iterator[str]:
    """Return what waits for a commit, and what was dropped, unless it is of another job."""
    waiting = waiting_for_commit(search)
    of_a_verb = [callback for callback in waiting if not callback.commits_itself]
    if of_a_verb:
        yield messages.hint_waiting_for_commit(*_shown(of_a_verb))
    others = [callback for callback in waiting if callback.commits_itself]
    if others:
        yield messages.hint_commits_itself(*_shown(others))
    gone = dropped(search)
    for by in dict.fromkeys(callback.dropped for callback in gone):
        same = [callback for callback in gone if callback.dropped == by]
        yield messages.hint_dropped(*_shown(same), by)


def waiting_for_commit(search: Search[T]) -> list[CommitCallback]:
    """Return what waits for a commit and may enqueue the job that is looked for."""
    return _of_this_job(search, search.jobs.waiting_for_commit.peek())


def dropped(search: Search[T]) -> list[CommitCallback]:
    """Return what will never run and might have enqueued the job that is looked for."""
    return _of_this_job(search, search.jobs.dropped_by_rollback.peek())


def _of_this_job(search: Search[T], callbacks: Sequence[CommitCallback]) -> list[CommitCallback]:
    return [callback for callback in callbacks if _may_be_of_job(search, callback)]


def _may_be_of_job(search: Search[T], callback: CommitCallback) -> bool:
    """Say whether a callback may enqueue the job: only one that is a method of another job may not."""
    if callback.owner is None or search.target is None:
        return True
    found = search.jobs.targets.find(callback.owner)
    return found is None or found.name == search.target.name


def _shown(callbacks: Sequence[CommitCallback]) -> tuple[list[tuple[str, str]], int]:
    shown = callbacks[: folding().hints]
    described = [(callback.text, callback.registered_at) for callback in shown]
    return described, len(callbacks) - len(shown)
