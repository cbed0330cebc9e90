"""A record in a question names its row; one that has none could be true of no job."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from pytest_jobs import job, later, reference
from pytest_jobs.errors import CriterionError


@reference(id="id", find="find")
@dataclass
class Member:
    id: int | None
    table: ClassVar[dict[int, "Member"]] = {}

    @classmethod
    def find(cls, id: int) -> "Member | None":
        return cls.table.get(id)

    def leave(self) -> None: ...

    leave_later = later(leave)


@job
def welcome(members: list[Member], note: str = "") -> None: ...


NO_ROW = (
    " is a Member without a row, since it was not saved, was rolled back or is deleted: no job carries it, and "
    "the question would be true of none. Ask with one that has a row."
)


@pytest.mark.parametrize(
    ("criteria", "path"),
    [
        ({"args": [[Member(1), Member(None)]]}, "args[0][1]"),
        ({"kwargs": {"members": [Member(None)]}}, "kwargs['members'][0]"),
        ({"params": {"members": (Member(None),)}}, "params['members'][0]"),
        ({"params": {"members": {"a": Member(None)}}}, "params['members']['a']"),
    ],
)
def test_a_record_without_a_row_is_refused(jobs, assert_not_enqueued, criteria, path):
    welcome.perform_later([Member(1)])

    with pytest.raises(CriterionError) as raised:
        assert_not_enqueued(welcome, **criteria)

    assert str(raised.value) == path + NO_ROW


def test_it_is_refused_by_name_where_the_job_is_a_method(jobs, assert_enqueued):
    Member(1).leave_later()

    with pytest.raises(CriterionError, match=r"^args\[0\] is a Member without a row"):
        assert_enqueued(Member.leave_later, args=[Member(None)])


def test_a_record_with_a_row_is_compared_by_its_id(jobs, assert_enqueued, assert_not_enqueued):
    welcome.perform_later([Member(1)], "hello")

    assert_enqueued(welcome, args=[[Member(1)], "hello"])
    assert_not_enqueued(welcome, params={"members": [Member(2)]})


class Guest(Member): ...


def test_a_record_of_a_subclass_is_another_record(jobs, assert_enqueued, assert_not_enqueued):
    welcome.perform_later([Guest(1)])

    record = assert_enqueued(welcome, args=[[Guest(1)]])
    assert_not_enqueued(welcome, args=[[Member(1)]])
    assert record.args == ([Guest(1)],)
    assert record.args != ([Member(1)],)
