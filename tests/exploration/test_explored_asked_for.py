"""Nothing that a check was asked for is skipped in silence."""

import re

import explored_jobs
import pytest
from celery import Celery
from explored_worlds import files, shop
from hypothesis import strategies as st

from pytest_jobs import check_idempotent
from pytest_jobs.errors import (
    CriterionError,
    DivergedState,
    DuplicateEffect,
    ExplorationError,
    NotIdempotent,
)
from pytest_jobs.exploration.histories.plans import DEFAULT

seen = set()


def remember(number):
    seen.add(number)


def memory():
    seen.clear()
    yield lambda: {"seen": sorted(seen)}


def refused(job, world=memory, **options):
    with pytest.raises(ExplorationError) as refusal:
        check_idempotent(job, args=options.pop("args", (1,)), world=world, **options)
    return str(refusal.value)


def test_a_history_that_is_named_and_has_no_effect_to_try():
    assert refused(remember, histories=["twice", "effect_fails"]) == (
        "The check names effect_fails, and there is nothing to try: a clean run of the job has no effect that "
        "could fail. Fake or wrap what it calls, or leave effect_fails out of histories=."
    )


def test_a_history_that_is_named_and_has_no_answer_to_lose():
    # Nothing answers a change of a file.
    assert "no effect whose answer could be lost" in refused(
        explored_jobs.replace_file, files, histories=["reply_lost"]
    )


def test_a_history_that_is_named_and_that_the_library_never_makes():
    app = Celery("shop", broker="memory://")

    @app.task(name="shop.charge_early")
    def charge(number):
        explored_jobs.gateway.charge(number, key=number)

    assert refused(charge, shop, histories=["twice", "reply_lost"], delivery="as configured") == (
        "The check names twice, and there is nothing to try: by the settings of its library a job that has begun "
        "is not delivered again. Drop delivery='as configured', or leave twice out of histories=."
    )


@pytest.mark.parametrize("histories", [None, "all", DEFAULT])
def test_a_history_that_nobody_picked_may_have_nothing_to_try_and_is_named_then(histories):
    options = {} if histories is None else {"histories": histories}

    explored = check_idempotent(remember, args=(1,), world=memory, **options)

    assert "Nothing to try for: effect_fails, reply_lost" in str(explored)


def test_a_report_names_the_histories_that_had_nothing_to_try():
    def count(number):
        seen.add(len(seen))

    with pytest.raises(NotIdempotent) as found:
        check_idempotent(count, args=(1,), world=memory)

    assert "; nothing to try for: effect_fails, reply_lost. Not explored" in str(found.value)
    assert found.value.report.to_dict()["explored"]["nothing_to_try"] == [
        "effect_fails",
        "reply_lost",
    ]


def test_a_failure_is_shown_although_another_history_had_nothing_to_try():
    def count(number):
        seen.add(len(seen))

    with pytest.raises(NotIdempotent):
        check_idempotent(count, args=(1,), world=memory, histories=["twice", "effect_fails"])


def test_a_job_without_any_point():
    assert refused(remember, atomic=[remember]).startswith(
        "One clean run of the job comes to no point at which it could be interrupted"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 2, "histories": ["twice", "late"]}, "depth=2 interrupts the second delivery"),
        ({"others": [print]}, "others= are called in out_of_order only"),
    ],
)
def test_a_parameter_for_histories_that_are_not_tried(options, message):
    with pytest.raises(CriterionError, match=message):
        check_idempotent(remember, args=(1,), world=memory, **options)


# Arguments that are drawn


def charge_if_large(number):
    if number > 1:
        explored_jobs.gateway.charge(number, key=number)


def test_a_drawn_argument_with_which_the_job_does_nothing_does_not_end_the_check():
    explored = check_idempotent(charge_if_large, args=(st.sampled_from([1, 2]),), world=shop)

    harmless = [one for one in explored.explorations if one.args == (1,)]
    assert len(explored.explorations) == 2
    assert "With these arguments the job changes nothing that is compared." in str(harmless[0])


def test_a_drawn_argument_for_which_a_named_history_has_nothing_to_try_does_not_end_the_check():
    explored = check_idempotent(
        charge_if_large, args=(st.sampled_from([1, 2]),), world=shop, histories=["effect_fails"]
    )

    assert sorted(one.histories for one in explored.explorations) == [0, 1]


def test_drawn_arguments_with_all_of_which_the_job_does_nothing():
    text = refused(charge_if_large, shop, args=(st.sampled_from([0, 1]),))

    assert text.startswith("One clean run of the job changes nothing that the world shows")


def test_drawn_arguments_for_all_of_which_a_named_history_has_nothing_to_try():
    text = refused(remember, args=(st.sampled_from([0, 1]),), histories=["effect_fails"])

    assert text.startswith("The check names effect_fails, and there is nothing to try")


def two_bugs(kind):
    if kind == "charge":
        explored_jobs.gateway.charge(1)
    else:
        db = explored_jobs.connect()
        db.execute("update payments set status = status || '!'")
        db.commit()


def test_a_search_that_finds_two_bugs_shows_one_of_them():
    with pytest.raises((DuplicateEffect, DivergedState)) as found:
        check_idempotent(two_bugs, args=(st.sampled_from(["mark", "charge"]),), world=shop)

    assert found.value.report.verdict in str(found.value).splitlines()[0]


def test_a_search_that_fails_says_what_was_drawn_and_nothing_of_its_own_functions():
    with pytest.raises(DuplicateEffect) as found:
        check_idempotent(
            lambda kind, amount: explored_jobs.gateway.charge(kind),
            args=(st.sampled_from(["charge"]), 7),
            world=shop,
        )

    assert (
        "drawn: kind='charge' (the simplest arguments that Hypothesis found)"
        in str(found.value).splitlines()
    )
    assert getattr(found.value, "__notes__", []) == []


def test_an_error_of_a_search_says_what_was_drawn():
    def fail(number):
        raise ValueError("broken")

    with pytest.raises(ExplorationError) as found:
        check_idempotent(fail, args=(st.just(7),), world=shop)

    assert found.value.__notes__ == ["Hypothesis drew the arguments (7)."]


@pytest.mark.wide
def test_all_histories_are_tried_with_each_argument_that_was_drawn():
    def charge(number):
        explored_jobs.gateway.charge(number, key=number)

    explored = check_idempotent(
        charge, args=(st.integers(1, 10**9),), world=shop, histories=["twice", "effect_fails"]
    )

    assert {one.histories for one in explored.explorations} == {explored.explorations[0].histories}
    assert explored.explorations[0].histories == 2


# The numbers in the line "explored"


def explored_line(error):
    (line,) = (line for line in str(error).splitlines() if line.startswith("explored:"))
    return line


@pytest.mark.parametrize(
    ("checked", "options"),
    [
        (explored_jobs.charge_always, {}),
        (explored_jobs.charge_always, {"args": (st.just(1),)}),
        (explored_jobs.charge_always, {"args": (st.just(1),), "histories": "all"}),
        (explored_jobs.charge_then_mark, {"depth": 2, "histories": ["crash"]}),
    ],
    ids=["simple", "drawn", "drawn, all", "deep"],
)
def test_as_many_histories_were_explored_as_there_are(checked, options):
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(checked, **{"args": (1,), **options}, world=shop)

    numbers = re.match(r"explored: (\d+) of (\d+) histories", explored_line(found.value))
    assert numbers is not None
    assert numbers[1] == numbers[2]


def test_what_was_not_looked_at_is_what_is_missing(monkeypatch):
    monkeypatch.setattr("pytest_jobs.exploration.histories.explorer._MOST_OF_THE_REST", 2)
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(explored_jobs.charge_always, args=(st.just(1),), world=shop)

    explored, planned = map(int, re.findall(r"\d+", explored_line(found.value))[:2])
    left = found.value.report.to_dict()["explored"]["not_looked_at"]
    assert explored + sum(left.values()) == planned


def test_a_history_that_fails_at_depth_one_does_not_claim_that_depth_two_was_explored():
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(
            explored_jobs.charge_then_mark, args=(1,), world=shop, histories=["crash"], depth=2
        )

    assert "depth=2, three deliveries at once." in explored_line(found.value)
