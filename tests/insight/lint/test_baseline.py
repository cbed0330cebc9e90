"""The file of accepted findings."""

from __future__ import annotations

import pytest

from pytest_jobs.errors import BaselineError
from pytest_jobs.insight.lint.baseline import Baseline

ONE, OTHER = ("app.py", "JOB301", "It swallows errors."), ("app.py", "JOB302", "It waits.")


@pytest.fixture
def opened(tmp_path):
    """Return a function that reads the file anew, with a reason for each entry."""
    path = tmp_path / "known" / "jobs.json"

    def opened(*, updates=False):
        if path.exists():
            text = path.read_text("utf-8").replace('"reason": ""', '"reason": "old"')
            path.write_text(text, "utf-8")
        return Baseline(path, where="--jobs-baseline", written="jobs.json", updates=updates)

    return opened


def test_one_finding_more_than_was_accepted_is_new(opened):
    opened(updates=True)["lint"].update([ONE, ONE, OTHER], lambda key: True)

    accepted = opened()["lint"].accepted([ONE, ONE, ONE, OTHER])

    assert accepted == {ONE: 2, OTHER: 1}


def test_an_update_of_one_section_leaves_the_other(opened):
    opened(updates=True)["audit"].update([("killed", "app.pay", "LOST mail")], lambda key: True)
    opened(updates=True)["lint"].update([ONE], lambda key: True)

    assert opened()["audit"].reason(("killed", "app.pay", "LOST mail")) == "old"


def test_what_was_not_looked_at_stays(opened):
    opened(updates=True)["lint"].update([ONE, OTHER], lambda key: True)
    opened(updates=True)["lint"].update([], lambda key: key == ONE)

    assert opened()["lint"].reason(ONE) is None
    assert opened()["lint"].reason(OTHER) == "old"


def test_a_file_that_is_not_there_is_refused_unless_it_is_written(opened):
    with pytest.raises(BaselineError, match=r"there is no jobs\.json: add --jobs-update-baseline"):
        opened()
