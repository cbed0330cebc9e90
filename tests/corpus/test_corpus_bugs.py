"""Each bug of the corpus is found, by the histories that reveal it and by no others."""

from __future__ import annotations

import pytest

pytest.importorskip("fakeredis")

from corpus_bugs import BUGS, Bug
from corpus_later_bugs import LATER_BUGS

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent

ALL = [*BUGS, *LATER_BUGS]

each_bug = pytest.mark.parametrize("bug", ALL, ids=lambda bug: bug.id)


def _check(bug: Bug, histories):
    check_idempotent(
        bug.job, args=bug.args, world=bug.world, histories=histories, others=bug.others
    )


def _is_found_by(bug: Bug, history):
    try:
        _check(bug, [history])
    except NotIdempotent as error:
        return error.report.history == history
    return False


@each_bug
def test_the_simplest_history_that_reveals_a_bug_is_told(bug):
    with pytest.raises(NotIdempotent) as raised:
        _check(bug, "all")

    (headline, *_) = str(raised.value).splitlines()
    assert type(raised.value) is bug.verdict
    assert f" {bug.what} [{bug.first}" in headline
    assert raised.value.report.history == bug.first


@each_bug
def test_a_bug_is_found_by_the_histories_that_reveal_it_and_by_no_others(bug):
    found = {history for history in bug.histories if _is_found_by(bug, history)}

    assert found == set(bug.found_by.split())


def test_the_corpus_has_a_bug_of_each_number():
    # These are found with a source of their own: of mails, of PostgreSQL.
    elsewhere = {"B57", "B58"}

    numbers = [bug.id for bug in ALL]
    assert {*numbers, *elsewhere} == {f"B{number:02}" for number in range(1, 61)}
    assert len(numbers) == len(set(numbers)) == 58
