"""Each bug of the corpus is found, by the histories that reveal it and by no others."""

from __future__ import annotations

import pytest

pytest.importorskip("fakeredis")

from corpus_bugs import BUGS
from corpus_later_bugs import LATER_BUGS

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent
from pytest_jobs.exploration.histories import explorer

ALL = [*BUGS, *LATER_BUGS]

#: Seconds.
AMPLE = 240.0


@pytest.mark.parametrize("bug", ALL, ids=lambda bug: bug.id)
def test_a_bug_is_told_by_the_simplest_history_and_found_by_those_that_reveal_it_and_no_others(
    bug, monkeypatch
):
    monkeypatch.setattr(explorer, "_MOST_OF_THE_REST", 1_000)
    with pytest.raises(NotIdempotent) as raised:
        check_idempotent(
            bug.job,
            args=bug.args,
            world=bug.world,
            histories="all",
            others=bug.others,
            time_limit=AMPLE,
        )

    (headline, *_) = str(raised.value).splitlines()
    told = raised.value.report.to_dict()
    failing = {told["history"], *(failure["history"] for failure in told["also_fails"])}
    assert type(raised.value) is bug.verdict
    assert f" {bug.what} [{bug.first}" in headline
    assert told["history"] == bug.first
    assert failing == set(bug.found_by.split())
    assert told["explored"]["not_looked_at"] == {}


def test_the_corpus_has_a_bug_of_each_number():
    # These are found with a source of their own: of mails, of PostgreSQL.
    elsewhere = {"B57", "B58"}

    numbers = [bug.id for bug in ALL]
    assert {*numbers, *elsewhere} == {f"B{number:02}" for number in range(1, 61)}
    assert len(numbers) == len(set(numbers)) == 58
