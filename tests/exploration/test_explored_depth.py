"""Two deliveries interrupted in one history."""

from __future__ import annotations

import explored_jobs
import pytest
from explored_worlds import shop

from pytest_jobs import check_idempotent
from pytest_jobs.errors import CriterionError, DuplicateEffect, LostEffect, NotIdempotent


@pytest.mark.slow
def test_what_survives_one_crash_and_not_two_is_found_with_depth_two():
    check_idempotent(explored_jobs.recover_once, args=(1,), world=shop, histories=["crash"])

    with pytest.raises(NotIdempotent) as raised:
        check_idempotent(
            explored_jobs.recover_once, args=(1,), world=shop, histories=["crash"], depth=2
        )

    assert isinstance(raised.value, LostEffect)
    assert "delivery 3" in str(raised.value)


@pytest.mark.wide
def test_what_survives_one_overlap_and_not_two_is_found_with_depth_two():
    check_idempotent(
        explored_jobs.charge_under_a_flag, args=(1,), world=shop, histories=["overlap"]
    )

    with pytest.raises(DuplicateEffect):
        check_idempotent(
            explored_jobs.charge_under_a_flag, args=(1,), world=shop, histories=["overlap"], depth=2
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "safe", [explored_jobs.charge_with_key, explored_jobs.charge_with_key_in_a_coroutine]
)
def test_what_is_safe_is_quiet_at_depth_two(safe):
    once = check_idempotent(safe, args=(1,), world=shop, histories=["crash", "overlap"])
    twice = check_idempotent(safe, args=(1,), world=shop, histories=["crash", "overlap"], depth=2)

    assert twice.histories > 3 * once.histories


def test_a_depth_that_is_none_is_refused():
    with pytest.raises(CriterionError, match=r"depth must be 1 or 2, .* got 3"):
        check_idempotent(explored_jobs.charge_with_key, args=(1,), world=shop, depth=3)


def test_a_time_limit_that_is_no_number_is_refused():
    with pytest.raises(CriterionError, match=r"a number of seconds such as 10, got 'soon'"):
        check_idempotent(explored_jobs.charge_with_key, args=(1,), world=shop, time_limit="soon")
