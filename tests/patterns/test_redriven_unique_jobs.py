"""A dead job that is redriven takes its lock and its place again, or meets who has them."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, discard_on, limits_concurrency, unique
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import StoreError

HOUR = timedelta(hours=1)


class Sync(Job):
    """Fails until it is mended."""

    broken = True
    ran = []  # noqa: RUF012

    def perform(self, user_id, note=""):
        if self.broken:
            raise ConnectionError(user_id)
        self.ran.append(note)


@unique("user_id", ttl=HOUR)
class SyncUser(Sync): ...


@unique("user_id", ttl=HOUR, on_conflict="replace")
class SyncLatest(Sync): ...


@limits_concurrency(to=1, key="user_id", duration=HOUR)
class SyncInTurn(Sync): ...


@discard_on(ConnectionError)
@limits_concurrency(to=1, key="user_id", duration=HOUR, on_conflict="discard")
class SyncOrNot(Sync): ...


@pytest.fixture(autouse=True)
def _broken(monkeypatch):
    monkeypatch.setattr(Sync, "broken", True)
    monkeypatch.setattr(Sync, "ran", [])


@pytest.fixture
def die(jobs, monkeypatch):
    """Return what lets a job die, and mends its class then."""

    def die(job_class, note="first"):
        monkeypatch.setattr(Sync, "broken", True)
        job_class.perform_later(7, note)
        jobs.drain(raise_errors=False)
        monkeypatch.setattr(Sync, "broken", False)
        return jobs.dead[-1]

    return die


@pytest.mark.parametrize(
    ("until", "held"),
    [
        ("executed", ["unique"]),
        ("executing", ["unique"]),
        ("expired", ["unique"]),
        ("while_executing", []),
        ("until_and_while_executing", ["unique"]),
    ],
)
def test_it_has_the_lock_again_that_its_kind_takes_at_enqueue(jobs, die, until, held):
    @unique("user_id", until=until, ttl=HOUR)
    class SyncUntil(Sync): ...

    again = jobs.redrive(die(SyncUntil))

    assert [(lock.kind, lock.record) for lock in jobs.locks] == [
        (k, jobs.enqueued[0]) for k in held
    ]
    assert again.job_id == jobs.enqueued[0].job_id
    assert jobs.drain() == {"performed": 1}


def test_it_keeps_another_out_from_when_it_is_redriven(jobs, die):
    letter = die(SyncUser)
    jobs.clock.advance(HOUR)
    again = jobs.redrive(letter)

    assert jobs.locks[0].expires_at == jobs.clock.now() + HOUR
    assert again.enqueued_at == jobs.clock.now()
    assert SyncUser.perform_later(7).dropped_for == again.job_id
    assert jobs.drain() == {"performed": 1}
    assert jobs.locks == []


@pytest.mark.parametrize("job_class", [SyncUser, SyncOrNot])
def test_it_is_dropped_for_another_that_has_its_lock_or_place(jobs, die, job_class):
    letter = die(job_class)
    job_class.perform_later(7, "second")

    assert jobs.redrive(letter) is None

    (kept_out,) = jobs.kept_out
    assert (kept_out.job_id, kept_out.kept_out_by) == (letter.record.job_id, jobs.enqueued[1])
    assert kept_out.args == (7, "first")
    assert jobs.dead == []
    assert jobs.drain() == {"performed": 1}
    assert Sync.ran == ["second"]


def test_it_replaces_the_other_where_that_is_declared(jobs, die):
    letter = die(SyncLatest)
    SyncLatest.perform_later(7, "second")

    assert jobs.redrive(letter) is not None

    assert jobs.drain() == {"performed": 1}
    assert Sync.ran == ["first"]
    assert jobs.kept_out == []


def test_of_two_that_are_the_same_one_is_redriven(jobs, die):
    for note in ("first", "second"):
        die(SyncUser, note)

    (again,) = jobs.redrive_all()

    assert again.args == (7, "first")
    assert [kept_out.args for kept_out in jobs.kept_out] == [(7, "second")]
    assert jobs.dead == []


def test_it_can_die_and_be_redriven_once_more(jobs, die, monkeypatch):
    jobs.redrive(die(SyncUser))
    monkeypatch.setattr(Sync, "broken", True)
    jobs.drain(raise_errors=False)
    monkeypatch.setattr(Sync, "broken", False)

    again = jobs.redrive(jobs.dead[0])

    assert again.payload is jobs.enqueued[0].payload
    assert jobs.drain() == {"performed": 1}


def test_a_limited_one_waits_for_its_place(jobs, die):
    letter = die(SyncInTurn)
    SyncInTurn.perform_later(7, "second")

    again = jobs.redrive(letter)

    assert jobs.blocked == [again]
    assert jobs.drain() == {"performed": 2}
    assert Sync.ran == ["second", "first"]


@pytest.mark.parametrize("verb", ["redrive", "redrive_all"])
def test_it_stays_dead_while_the_store_is_down(jobs, die, verb, monkeypatch):
    letter = die(SyncUser)

    def refuse(*args, **kwargs):
        raise StoreError("refused")

    with monkeypatch.context() as patches:
        patches.setattr(settings.store, "acquire", refuse, raising=False)
        with pytest.raises(StoreError):
            jobs.redrive(letter) if verb == "redrive" else jobs.redrive_all()

    assert jobs.dead == [letter]
    assert jobs.redrive_all()[0].job_id == letter.record.job_id


def test_a_second_delivery_passes_its_own_lock(jobs, monkeypatch):
    monkeypatch.setattr(Sync, "broken", False)
    SyncUser.perform_later(7)

    jobs.redeliver(jobs.enqueued[0])

    assert jobs.drain() == {"performed": 2}
