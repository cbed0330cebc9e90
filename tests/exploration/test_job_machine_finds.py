"""A machine finds what several jobs do to each other, and is quiet about their safe twins."""

import machine_jobs
import pytest
from hypothesis import Phase, settings, strategies as st
from hypothesis.stateful import invariant

from pytest_jobs import JobMachine

NUMBERS = st.sampled_from([1, 2])
#: Enough for all to be found; a search ends at the first failure.
THOROUGH = settings(
    max_examples=500,
    stateful_step_count=12,
    phases=(Phase.generate, Phase.shrink),
    derandomize=True,
    database=None,
    deadline=None,
)
UNSHRUNK = settings(THOROUGH, phases=[Phase.generate])
SHORT = settings(UNSHRUNK, max_examples=40)


def machine(*jobs):
    class Shop(JobMachine):
        world = staticmethod(machine_jobs.shop)

        @invariant()
        def nobody_is_charged_twice(self):
            charges = self.state["charges"]
            assert len(charges) == len(set(charges))

        @invariant()
        def what_is_deleted_is_gone(self):
            assert not set(self.state["profiles"]) & set(self.state["deleted"])

        def settled(self):
            assert "given up" not in self.state["payments"].values()

    Shop.jobs = {found: {"number": NUMBERS} for found in jobs}
    return Shop


def search(found, options=UNSHRUNK):
    found.TestCase.settings = options
    found.TestCase("runTest").runTest()


def script_of(failure):
    return [line for line in failure.value.__notes__ if line.startswith("state")]


@pytest.mark.slow
def test_a_guard_that_a_crash_gets_around():
    with pytest.raises(AssertionError) as failure:
        search(machine(machine_jobs.pay_in_a_transaction), THOROUGH)

    script = script_of(failure)
    assert script[0] == "state = Shop()"
    assert script[-1] == "state.teardown()"
    assert len([line for line in script if "nobody" not in line and "gone" not in line]) <= 5
    steps = ("state.crash('pay_in_a_", "state.reply_lost('pay_in_a_")
    assert any(line.startswith(steps) for line in script)


@pytest.mark.wide
def test_a_job_that_undoes_another():
    with pytest.raises(AssertionError) as failure:
        search(machine(machine_jobs.save_profile, machine_jobs.delete_profile))

    script = "\n".join(script_of(failure))
    assert "'save_profile" in script
    assert "'delete_profile" in script


@pytest.mark.slow
@pytest.mark.parametrize(
    "found", [machine_jobs.look_then_charge, machine_jobs.look_then_charge_in_a_coroutine]
)
def test_a_look_that_only_an_overlap_gets_around(found):
    with pytest.raises(AssertionError) as failure:
        search(machine(found))

    assert any(line.startswith("state.overlap(") for line in script_of(failure))


@pytest.mark.wide
def test_attempts_that_are_burned():
    with pytest.raises(AssertionError, match="given up"):
        search(machine(machine_jobs.pay_with_attempts))


def test_a_guard_that_a_process_takes_with_it():
    with pytest.raises(AssertionError):
        search(machine(machine_jobs.pay_once_a_process))


@pytest.mark.wide
def test_a_coroutine_that_is_delivered_again():
    with pytest.raises(AssertionError):
        search(machine(machine_jobs.pay_in_a_coroutine))


@pytest.mark.wide
def test_a_child_that_is_enqueued_again():
    with pytest.raises(AssertionError) as failure:
        search(machine(machine_jobs.pay_and_send_receipt))

    assert any("pay_and_send_receipt#" in line for line in script_of(failure))


@pytest.mark.parametrize(
    "jobs",
    [
        (machine_jobs.pay_with_key,),
        (machine_jobs.look_then_charge_with_key,),
        (machine_jobs.look_then_charge_under_a_lock,),
        (machine_jobs.save_living_profile, machine_jobs.delete_profile),
        (machine_jobs.PayLater, machine_jobs.pay_with_key),
    ],
    ids=["keyed", "keyed look", "locked look", "tombstones", "retried"],
)
def test_it_is_quiet_about_the_safe_twins(jobs):
    search(machine(*jobs), SHORT)


@pytest.mark.wide
def test_it_is_the_same_in_every_run():
    scripts = []
    for _ in range(2):
        with pytest.raises(AssertionError) as failure:
            search(machine(machine_jobs.pay))
        scripts.append(script_of(failure))

    assert scripts[0] == scripts[1]


@pytest.mark.wide
def test_arguments_may_depend_on_one_another():
    class Dependent(machine(machine_jobs.pay)):
        jobs = {machine_jobs.pay: st.builds(dict, number=st.just(2))}  # noqa: RUF012 - as users write it

    with pytest.raises(AssertionError) as failure:
        search(Dependent)

    assert "state.enqueue('pay', number=2)" in script_of(failure)
