"""Each bug of the corpus is found, by the histories that reveal it and by no others."""

from __future__ import annotations

import pytest

pytest.importorskip("fakeredis")

from corpus_bugs import BUGS, Bug

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent

each_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.id)


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


def test_the_corpus_has_fifty_two_bugs():
    numbers = [*range(1, 51), 52, 60]

    assert [bug.id for bug in BUGS] == [f"B{number:02}" for number in numbers]
