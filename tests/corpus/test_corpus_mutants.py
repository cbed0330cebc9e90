"""What lacks the key, the lock, the guard or the transaction of a safe twin is caught."""

from __future__ import annotations

import pytest

pytest.importorskip("fakeredis")

import corpus_coroutines as coroutines
import corpus_counters as counters
import corpus_files as files
import corpus_reports as reports
from corpus_twins import TWINS
from mutants import Mutant, mutants_of

from pytest_jobs.errors import NotIdempotent

#: Where taking something out makes no sense, or leaves nothing that works.
BY_HAND = {
    "S08": ("an absolute value", counters.count_view),
    "S10": ("a transaction", counters.count_view_once),
    "S17": ("a rename", files.write_report_piece_by_piece),
    "S37": ("overwriting", files.write_by_a_new_temporary_file),
    "S48": ("keys", coroutines.gather_and_mark),
    "S51": ("an argument", reports.report_for_today),
}
_KEY = "the key is enough"
_UNIQUE = "the unique reference turns the second away, and its transaction is rolled back"
_FENCE = "the fence is enough: the lock saves work"
#: Mutants that are as safe as their twin, each with the reason.
EQUIVALENT = {
    'S01 without if status == "paid"': _KEY,
    'S03 without database.execute("begin immediate")': _KEY,
    'S03 without if status == "paid"': _KEY,
    "S14 without if _is_done(database, payment_id)": _KEY,
    'S15 without if status == "paid"': _KEY,
    "S16 without nx=True": _KEY,
    'S16 without if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=30)': _KEY,
    'S16 without if status != "paid"': _KEY,
    "S18 without if settled.rowcount == 1": _UNIQUE,
    "S18 without and version = ?": _UNIQUE,
    "S26 without nx=True": _KEY,
    "S27 without if payment_id not in _amounts": "it guards a cache, and nothing else",
    'S30 without if status == "paid"': _KEY,
    "S33 without one transaction": "whoever comes again counts the rows anew",
    'S35 without if status == "paid"': _KEY,
    "S36 without nx=True": _KEY,
    'S36 without if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=60)': _KEY,
    'S40 without database.execute("begin immediate")': _UNIQUE,
    'S42 without if shop.redis.exists(f"called:{payment_id}")': _KEY,
    "S48 without if _is_done(database, payment_id)": _KEY,
    "S49 without if _is_done(database, payment_id)": "what is shipped is a set",
    "S50 without nx=True": _FENCE,
    'S50 without if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=30)': _FENCE,
    "S52 without one transaction": "either statement may be repeated by itself",
    "S53 without nx=True": _KEY,
    'S53 without if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=30)': _KEY,
}
#: A lock that never runs out is waited for without end, and so is the end of the check.
ENDLESS = "S26 without ex=30"

MUTANTS = [
    *(mutant for twin in TWINS for mutant in mutants_of(twin)),
    *(Mutant(twin, *BY_HAND[twin.id]) for twin in TWINS if twin.id in BY_HAND),
]


def _of(mutants):
    return pytest.mark.parametrize("mutant", mutants, ids=lambda mutant: mutant.id)


@pytest.mark.slow
@_of([mutant for mutant in MUTANTS if mutant.id not in {*EQUIVALENT, ENDLESS}])
def test_a_mutant_is_caught(mutant):
    with pytest.raises(NotIdempotent):
        mutant.twin.check(mutant.job)


@pytest.mark.slow
@_of([mutant for mutant in MUTANTS if mutant.id in EQUIVALENT])
def test_a_mutant_that_is_still_safe_passes(mutant):
    mutant.twin.check(mutant.job)


@pytest.mark.slow
def test_a_lock_that_never_runs_out_is_caught():
    (mutant,) = [mutant for mutant in MUTANTS if mutant.id == ENDLESS]

    with pytest.raises(NotIdempotent):
        mutant.twin.check(mutant.job)


def test_every_twin_but_those_that_do_nothing_has_a_mutant():
    assert {mutant.twin.id for mutant in MUTANTS} == {twin.id for twin in TWINS}


def test_there_are_so_many_mutants():
    names = {mutant.id for mutant in MUTANTS}

    assert len(names) == len(MUTANTS) == 101
    assert len(names - {*EQUIVALENT, ENDLESS}) == 74
    assert names > {*EQUIVALENT}
