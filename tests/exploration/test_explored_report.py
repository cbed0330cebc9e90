"""The report tells what happened, and what to do."""

import inspect
import re

import explored_jobs
import pytest
from explored_worlds import shop

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent


def report(job, **options):
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(job, args=(1,), world=shop, **options)
    return re.sub(r"(\.py):\d+", r"\1:n", str(found.value))


def test_a_killed_worker():
    text = report(explored_jobs.charge_then_mark, histories=["twice", "crash"])

    assert re.sub(r"Explored .*", "Explored ...", text) == inspect.cleandoc("""
        charge_then_mark(1) is not safe to deliver twice: DUPLICATE gateway.charge [crash]
        the worker was killed, and the job delivered again.

        delivery 1
               explored_jobs.py:n  gateway: charge(1)
          x    killed after gateway: charge(1)
          never ended
        delivery 2
               explored_jobs.py:n  gateway: charge(1)
               explored_jobs.py:n  sqlite: update payments set status = 'done' where id = ?
               explored_jobs.py:n  sqlite: commit
          done

        charges
          once: (('charge', 1),)
          now:  (('charge', 1), ('charge', 1))

        Hint: give the effect an idempotency key that is derived from the arguments, or look it up before \
making it.
        Explored ...
    """)


def test_it_is_the_same_each_time():
    first = report(explored_jobs.charge_then_mark)

    assert report(explored_jobs.charge_then_mark) == first


def test_what_was_not_explored_is_said():
    text = report(explored_jobs.charge_always)

    assert text.endswith("Not explored: late, lease_expires, out_of_order.")


@pytest.mark.parametrize(
    ("job", "hint"),
    [
        (explored_jobs.mark_then_charge, "mark the work as done after its effects"),
        (explored_jobs.insert_plainly, "let a delivery that finds the work done return"),
        (explored_jobs.look_up_then_charge, "take a lock that both deliveries see"),
    ],
)
def test_a_hint_goes_with_the_verdict(job, hint):
    assert f"Hint: {hint}" in report(job)
