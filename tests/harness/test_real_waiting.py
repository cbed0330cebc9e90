"""Waiting in real time: a machine that stands still is not a sign that nothing comes."""

import itertools

from pytest_jobs.harness.time.waiting import comes_about


def waiting(*comes):
    """Return a function that waits, and says each time whether something came, and how long it was asked to."""
    told = iter(comes)
    asked = []

    def wait(seconds):
        asked.append(seconds)
        return next(told, False)

    return wait, asked


def test_what_has_come_is_seen_at_once():
    wait, asked = waiting(True)

    assert comes_about(wait, 8)
    assert len(asked) == 1


def test_what_does_not_come_is_given_up_after_so_many_seconds():
    wait, asked = waiting()

    assert not comes_about(wait, 8)
    assert sum(asked) == 8


def test_a_machine_that_stood_still_takes_a_part_of_them_only():
    # However long the machine stood, it was while one of the parts was waited for.
    wait, asked = waiting(False, True)

    assert comes_about(wait, 8)
    assert sum(asked) <= 4


def test_they_begin_anew_with_every_sign_of_life():
    wait, asked = waiting(*[False] * 30, True)

    assert comes_about(wait, 8, itertools.count().__next__)
    assert len(asked) == 31


def test_signs_that_stay_the_same_are_none():
    signs = iter([0, 1, 2])
    wait, asked = waiting()

    assert not comes_about(wait, 8, lambda: next(signs, 2))
    assert sum(asked) == 10
