"""The processes of a machine have a memory of their own, as those of a check."""

from __future__ import annotations

import functools
import os
import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest
from explored_project import settings as project_settings
from hypothesis import Phase, settings, strategies as st
from hypothesis.stateful import invariant

from pytest_jobs import JobMachine, fake
from pytest_jobs.errors import ExplorationError

app = SimpleNamespace(mailer=None)


class Mailer:
    def send(self, to, key=None):
        return to


def mails():
    with fake(app, "mailer", Mailer(), key="key") as mailer:
        yield lambda: [call[1] for call in mailer.calls]


class Templates:
    loaded = False


def in_a_class():
    if not Templates.loaded:
        app.mailer.send("hello")
        Templates.loaded = True


@functools.lru_cache
def cached():
    return app.mailer.send("hello")


def in_a_cache():
    cached()


def in_the_environment():
    if "SHOP_SENT" not in os.environ:
        app.mailer.send("hello")
        os.environ["SHOP_SENT"] = "1"


def in_a_module_without_code():
    if not project_settings.sent:
        app.mailer.send("hello")
        project_settings.sent = True


def in_a_module_that_is_imported_now():
    import machine_mails

    machine_mails.send_once(app.mailer)


#: One of each sort: the state or the next world decides, it belongs to the whole process, it was never imported.
#: `test_explored_process_memory.py` shows where else things are kept.
KINDS = [
    in_a_class,
    in_a_cache,
    in_the_environment,
    in_a_module_without_code,
    in_a_module_that_is_imported_now,
]


def script(job, world=mails):
    """Return a machine with one job, that is used as a block."""

    class Shop(JobMachine):
        def settled(self):
            """Nothing has to hold: the test says it."""

    Shop.world = staticmethod(world)
    Shop.jobs = {job: {"number": 1}}
    return Shop()


#: One of `KINDS`, put in place by each test.
remember = None


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch, tmp_path):
    (tmp_path / "machine_mails.py").write_text(
        "sent = set()\n"
        "def send_once(mailer):\n"
        "    if not sent:\n"
        "        mailer.send('hello')\n"
        "        sent.add(1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(f"{__name__}.remember", request.param)
    yield
    sys.modules.pop("machine_mails", None)


def sends(number):
    remember()
    number += 1
    remember()


def sends_at_last(number):
    number += 1
    remember()


@pytest.mark.usefixtures("kind")
def test_a_new_process_has_forgotten_what_is_kept():
    with script(sends) as state:
        state.enqueue("sends", 1)
        state.perform("sends#1")
        state.deliver_again("sends#1")
        assert state.state == ["hello"]

        state.restart()
        state.deliver_again("sends#1")

        assert state.state == ["hello", "hello"]


@pytest.mark.usefixtures("kind")
def test_a_process_is_killed_with_what_it_keeps():
    with script(sends) as state:
        state.enqueue("sends", 1)
        state.crash("sends#1", at="number += 1 in sends")
        state.perform("sends#1")

        assert state.state == ["hello", "hello"]


@pytest.mark.usefixtures("kind")
def test_an_overlapping_delivery_keeps_things_in_its_own_process():
    with script(sends) as state:
        state.enqueue("sends", 1)
        state.overlap("sends#1", at="number += 1 in sends")
        assert state.state == ["hello", "hello"]

        state.deliver_again("sends#1")

        assert state.state == ["hello", "hello"]


@pytest.mark.usefixtures("kind")
def test_what_an_overlapping_delivery_alone_keeps_is_not_in_the_first_process():
    with script(sends_at_last) as state:
        state.enqueue("sends_at_last", 1)
        state.overlap("sends_at_last#1", at="number += 1 in sends_at_last")

        assert state.state == ["hello", "hello"]


@pytest.mark.usefixtures("kind")
def test_a_script_leaves_the_memory_as_it_was():
    with script(sends) as state:
        state.enqueue("sends", 1)
        state.perform("sends#1")

    assert not Templates.loaded
    assert cached.cache_info().currsize == 0
    assert "SHOP_SENT" not in os.environ
    assert not project_settings.sent


class Orders:
    rows: ClassVar[dict[int, str]] = {}
    requests: ClassVar[set[int]] = set()


def test_what_the_state_shows_in_a_class_belongs_to_the_world():
    def orders():
        Orders.rows.clear()
        yield lambda: dict(Orders.rows)

    def store(number):
        Orders.rows[number] = "new"
        Orders.rows[0] = "last"

    with script(store, orders) as state:
        state.enqueue("store", 1)
        state.perform("store#1")
        state.enqueue("store", 2)
        state.perform("store#2")
        before = list(Orders.rows)
        state.restart()

        assert state.state == {1: "new", 0: "last", 2: "new"}
        assert list(Orders.rows) == before


def search(job, world=mails, **arguments):
    """Let Hypothesis search for a machine that sends one mail twice."""

    class Shop(JobMachine):
        @invariant()
        def a_mail_is_sent_once(self):
            assert len(self.state) == len(set(self.state))

    Shop.world = staticmethod(world)
    Shop.jobs = {job: arguments}
    case = Shop.TestCase
    case.settings = settings(
        case.settings,
        max_examples=40,
        stateful_step_count=6,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
    )
    case("runTest").runTest()


@functools.lru_cache
def send_once(number):
    app.mailer.send(number)


def sends_once_a_process(number):
    send_once(number)


def sends_with_a_key(number):
    send_once_with_a_key(number)


@functools.lru_cache
def send_once_with_a_key(number):
    app.mailer.send(number, key=number)


@pytest.mark.wide
def test_a_search_finds_a_guard_in_a_cache():
    with pytest.raises(AssertionError):
        search(sends_once_a_process, number=1)


@pytest.mark.wide
def test_a_search_is_quiet_about_the_safe_twin():
    search(sends_with_a_key, number=st.sampled_from([1, 2]))


def sends_unless_requested(number):
    if number not in Orders.requests and not Orders.requests.add(number):
        app.mailer.send(number)


def world_of_requests():
    Orders.requests.clear()
    yield from mails()


@pytest.mark.wide
def test_a_search_knows_what_the_world_makes_anew_in_a_class():
    search(sends_unless_requested, world_of_requests, number=1)


def test_a_script_says_that_the_world_was_taken_for_memory():
    def sent_once():
        with script(sends_unless_requested, world_of_requests) as state:
            state.enqueue("sends_unless_requested", 1)
            state.perform("sends_unless_requested#1")
            state.restart()
            state.deliver_again("sends_unless_requested#1")
            assert state.state == [1]

    with pytest.raises(ExplorationError) as refused:
        sent_once()

    assert str(refused.value) == (
        "The world makes Orders.requests anew, and its state does not show that. So the script has taken it for "
        "something that a process keeps in memory, and a new process began without it. The failure shows nothing: "
        "let the state show it."
    )


class Expected:
    numbers: ClassVar[set[int]] = set()
    last = None


# The job does not use them.
@pytest.mark.usefixtures("articles")
def test_what_the_test_changes_between_two_steps_is_there_in_each_process():
    def charge(number):
        app.mailer.send(number)

    Expected.numbers, Expected.last = set(), None
    with script(charge) as state:
        state.enqueue("charge", 1)
        Expected.numbers.add(1)
        Expected.last = 1
        state.perform("charge#1")
        state.restart()
        Expected.numbers.add(2)
        state.enqueue("charge", 2)
        state.crash("charge#2", at="after mailer: send(2) in " + charge.__qualname__)
        state.drain()

    assert Expected.numbers == {1, 2}
    assert Expected.last == 1
