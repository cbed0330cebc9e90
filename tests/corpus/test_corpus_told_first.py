"""The corpus as a first-time user tells it: plain fakes, the default histories, and no option."""

from __future__ import annotations

import pytest

pytest.importorskip("fakeredis")

import corpus_world
from corpus_bugs import BUGS
from corpus_later_bugs import LATER_BUGS
from corpus_twins import TWINS

import pytest_jobs
from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent
from pytest_jobs.exploration.histories.plans import DEFAULT

ALL = [*BUGS, *LATER_BUGS]
#: Revealed by a default history.
REVEALED = [bug for bug in ALL if bug.first in DEFAULT]
#: Found only by a history that has to be asked for.
LATER = [bug for bug in ALL if bug.first not in DEFAULT]
#: Safe only since an option says so, or a history in which they are not safe is left out.
DECLARED = [twin for twin in TWINS if twin.at_least_once or twin.accept or twin.without in DEFAULT]
SAFE = [twin for twin in TWINS if twin not in DECLARED]


@pytest.fixture(autouse=True)
def faked(monkeypatch):
    """Leave out what the worlds say about keys, look-ups and how long a service remembers.

    Returns the names of what was faked.
    """
    made = []

    def fake(owner, attribute, target, **options):
        made.append(attribute)
        return pytest_jobs.fake(owner, attribute, target)

    monkeypatch.setattr(corpus_world, "fake", fake)
    return made


def named(told):
    return told.id


@pytest.mark.parametrize("bug", REVEALED, ids=named)
def test_a_bug_that_default_histories_reveal_is_caught(bug, faked):
    with pytest.raises(NotIdempotent) as raised:
        check_idempotent(bug.job, args=bug.args, world=bug.world)

    (headline, *_) = str(raised.value).splitlines()
    assert type(raised.value) is bug.verdict
    assert f" {bug.what} [{bug.first}" in headline
    assert set(faked) == {"gateway", "mailer", "desk", "queue"}


@pytest.mark.parametrize("bug", LATER, ids=named)
def test_a_bug_of_other_histories_is_no_error_and_they_are_named(bug):
    explored = check_idempotent(bug.job, args=bug.args, world=bug.world)

    assert bug.first in str(explored)


@pytest.mark.parametrize(
    "twin",
    [
        # Its deliveries wait for each other's locks.
        pytest.param(twin, id=twin.id, marks=[pytest.mark.slow] if twin.id == "S26" else [])
        for twin in SAFE
    ],
)
def test_a_safe_twin_gives_no_alarm_and_no_error(twin):
    explored = check_idempotent(twin.job, args=twin.args, world=twin.world)

    assert explored.to_dict()["names"] == list(DEFAULT)


def test_few_are_safe_by_declaration_only():
    assert [twin.id for twin in DECLARED] == ["S13", "S21", "S49", "S55"]
