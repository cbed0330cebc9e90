"""A machine that looked at nothing is an error, and never a pass."""

import sqlite3
import sys
import threading
from types import SimpleNamespace

import machine_jobs
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from pytest_jobs import JobMachine, job, sqlite_world
from pytest_jobs.errors import CriterionError, DeclarationError, ExplorationError

FEW = settings(
    max_examples=10,
    stateful_step_count=5,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
)


def machine(**members):
    members = {
        "world": staticmethod(machine_jobs.shop),
        "jobs": {machine_jobs.pay_with_key: {"number": 1}},
        "settled": lambda self: None,
        **members,
    }
    found = type("Shop", (JobMachine,), {key: value for key, value in members.items() if value})
    found.TestCase.settings = FEW
    return found


def search(found):
    found.TestCase("runTest").runTest()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"world": None}, "Shop has no world"),
        ({"settled": None}, "Shop says nothing that has to hold"),
        ({"jobs": None}, "Shop has no jobs"),
        ({"jobs": {machine_jobs.pay: 7}}, "the arguments 7: give it values or strategies"),
    ],
)
def test_a_class_that_says_too_little(members, message):
    found = machine(**members)

    with pytest.raises(DeclarationError, match=message):
        search(found)
    with pytest.raises(DeclarationError, match=message):
        found()


def test_an_invariant_is_something_that_has_to_hold():
    search(machine(settled=None, holds=invariant()(lambda self: None)))


def test_what_is_no_job():
    with pytest.raises(CriterionError, match="is not a job"):
        search(machine(jobs={int: {"number": 1}}))
    with pytest.raises(CriterionError, match="is a method of a job"):
        search(machine(jobs={machine_jobs.PayLater.perform_later: {"number": 1}}))


def test_two_jobs_of_one_name():
    def pay(number):
        """Be another one."""

    pay.__qualname__ = "pay"
    with pytest.raises(CriterionError, match="Two jobs of Shop are named 'pay'"):
        search(machine(jobs={machine_jobs.pay: {}, pay: {}}))


def test_no_job_was_performed():
    @rule()
    def do_nothing(self):
        pass

    with pytest.raises(ExplorationError, match="Shop never performed a job"):
        search(machine(jobs=None, do_nothing=do_nothing))
    with pytest.raises(ExplorationError, match="Shop never performed a job"), machine()():
        pass


def test_jobs_that_change_nothing():
    with pytest.raises(ExplorationError, match="they changed nothing that the world shows"):
        search(machine(jobs={machine_jobs.look_at_nothing: {"number": 1}}))


def test_jobs_without_a_point():
    with pytest.raises(ExplorationError, match="no line and no effect of them is one at which"):
        search(
            machine(
                jobs={machine_jobs.charge: {"number": 1}},
                world=staticmethod(unheard_of),
                atomic=machine_jobs,
            )
        )


def unheard_of():
    charges = []
    # Nothing says that a test has made it.
    gateway = SimpleNamespace(charge=charges.append)
    before, machine_jobs.gateway = machine_jobs.gateway, gateway
    try:
        yield lambda: {"charges": list(charges)}
    finally:
        machine_jobs.gateway = before


def test_a_world_that_is_not_fresh():
    entered = []

    def stale():
        entered.append(len(entered))
        with sqlite_world(machine_jobs.SCHEMA, bind=(machine_jobs, "connect")):
            yield lambda: {"entered": len(entered)}

    with pytest.raises(ExplorationError, match="The world is not fresh: entered is 1"):
        search(machine(world=staticmethod(stale)))
    entered.clear()
    with pytest.raises(ExplorationError, match="The world is not fresh: entered is 1"):
        machine(world=staticmethod(stale))()


@pytest.mark.wide
def test_a_call_to_the_outside():
    import explored_jobs

    with pytest.raises(ExplorationError, match="which reaches outside of the world"):
        search(machine(jobs={explored_jobs.connect_somewhere: {"number": 1}}))


def test_a_machine_that_runs_without_its_test_case():
    with pytest.raises(ExplorationError, match=r"write `TestShop = Shop\.TestCase`"):
        run_state_machine_as_test(machine(), settings=FEW)


def test_a_strategy_that_draws_no_arguments():
    from hypothesis import strategies as st

    with pytest.raises(DeclarationError, match="The strategy of pay in `jobs` drew 7"):
        search(machine(jobs={machine_jobs.pay: st.just(7)}))


def test_a_job_that_the_machine_does_not_have():
    with machine()() as state:
        state.enqueue("pay_with_key", 1)
        with pytest.raises(ExplorationError, match="Shop has no job 'pay': it has pay_with_key"):
            state.enqueue("pay", 1)
        with pytest.raises(ExplorationError, match=r"pay#1 is not done\. Done are: none"):
            state.deliver_again("pay#1")


def test_the_rules_of_hypothesis_work():
    heard = []

    @initialize()
    def begin(self):
        self.begun = True

    @precondition(lambda self: self.begun)
    @rule()
    def greet(self):
        heard.append("rule")

    @invariant()
    def began(self):
        assert self.begun

    search(machine(begin=begin, greet=greet, began=began))

    assert heard


def left_behind():
    return (
        sqlite3.connect,
        sys.gettrace(),
        sys.unraisablehook,
        machine_jobs.gateway,
        machine_jobs.connect,
        [thread.name for thread in threading.enumerate() if "pytest-jobs" in thread.name],
        sys.version_info >= (3, 12) and sys.monitoring.get_tool(4),
    )


@pytest.mark.wide
def test_nothing_is_left_behind():
    before = left_behind()
    search(machine())
    with pytest.raises(AssertionError):
        search(machine(jobs={machine_jobs.pay: {"number": 1}}, settled=one_charge))

    assert left_behind() == before


def one_charge(self):
    assert len(self.state["charges"]) <= 1


def test_a_script_that_failed_leaves_the_way_free():
    before = left_behind()
    abandoned = machine()()
    abandoned.enqueue("pay_with_key", 1)
    abandoned.crash("pay_with_key#1", at="db = connect() in pay_with_key")

    search(machine())

    assert left_behind() == before


def test_a_job_that_never_succeeds_at_once_shows_nothing():
    done = set()

    @job
    def mark_and_fail(number):
        if number not in done:
            done.add(number)
            raise LookupError("no such order")

    def memory():
        done.clear()
        yield lambda: {"done": set(done)}

    with pytest.raises(
        ExplorationError, match=r"never succeeded at a first .*failed with LookupError"
    ):
        search(machine(world=staticmethod(memory), jobs={mark_and_fail: {"number": 1}}))
