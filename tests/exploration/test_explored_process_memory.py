"""A process keeps things in classes, functions and objects, and a new process begins without them."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import sys
import uuid
from collections import UserDict
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import explored_project.settings
import pytest
from explored_project import catalogue, context, settings as project_settings
from explored_project.context import lock, request

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect

app = SimpleNamespace(mailer=None)


class Mailer:
    def send(self, to, key=None):
        return to


def mails():
    with fake(app, "mailer", Mailer(), key="key") as mailer:
        yield lambda: {"mails": mailer.calls}


class Templates:
    loaded = False
    names: ClassVar[dict[str, list[int]]] = {"welcome": []}


class Registry(type):
    known: ClassVar[set[int]] = set()


class Greeter:
    @functools.cached_property
    def greeted(self):
        app.mailer.send("hello")
        return True


class Slotted:
    __slots__ = ("sent",)

    def __init__(self):
        self.sent = False


greeter, slotted, settings = Greeter(), Slotted(), UserDict({})
nested = {"seen": {"mails": []}}


def in_a_class():
    if not Templates.loaded:
        app.mailer.send("hello")
        Templates.loaded = True


def in_a_list_of_a_class():
    if not Templates.names["welcome"]:
        app.mailer.send("hello")
        Templates.names["welcome"].append(1)


def in_a_metaclass():
    if 1 not in Registry.known:
        app.mailer.send("hello")
        Registry.known.add(1)


def in_a_cached_property():
    assert greeter.greeted


def in_a_slot():
    if not slotted.sent:
        app.mailer.send("hello")
        slotted.sent = True


def in_a_nested_container():
    if not nested["seen"]["mails"]:
        app.mailer.send("hello")
        nested["seen"]["mails"].append(1)


def in_a_container_of_a_library():
    if not settings:
        app.mailer.send("hello")
        settings["sent"] = True


def in_a_default(_seen=set()):  # noqa: B006 - this is what is tested
    if not _seen:
        app.mailer.send("hello")
        _seen.add(1)


def in_an_attribute():
    if not getattr(in_an_attribute, "sent", False):
        app.mailer.send("hello")
        in_an_attribute.sent = True


@functools.lru_cache
def in_a_cache():
    return app.mailer.send("hello")


@functools.lru_cache
def client():
    return {"sent": False}


def in_what_a_cache_holds():
    if not client()["sent"]:
        app.mailer.send("hello")
        client()["sent"] = True


class Cached:
    hello = functools.lru_cache(lambda: app.mailer.send("hello"))


def in_a_cache_of_a_class():
    Cached.hello()


def cached(function):
    results = functools.lru_cache(function)

    @functools.wraps(function)
    def call():
        return results()

    return call


@cached
def in_a_cache_of_a_decorator():
    return app.mailer.send("hello")


class Client:
    def __init__(self):
        self.hello = functools.lru_cache(self.send)

    def send(self):
        return app.mailer.send("hello")

    @staticmethod
    @functools.lru_cache
    def welcome():
        return app.mailer.send("hello")


mail_client = Client()


def in_a_cache_of_an_object():
    mail_client.hello()


def in_a_cache_of_a_static_method():
    Client.welcome()


def in_a_handler():
    log = logging.getLogger("shop.mails")
    if not log.handlers:
        app.mailer.send("hello")
        log.addHandler(logging.NullHandler())


def in_a_level():
    log = logging.getLogger("shop.levels")
    if not log.level:
        app.mailer.send("hello")
        log.setLevel(logging.INFO)


def in_the_environment():
    if "SHOP_GREETED" not in os.environ:
        app.mailer.send("hello")
        os.environ["SHOP_GREETED"] = "1"


def remembering():
    seen, sent = [], False

    def in_a_closure():
        if not seen:
            app.mailer.send("hello")
            seen.append(1)

    def in_a_nonlocal_name():
        nonlocal sent
        if not sent:
            app.mailer.send("hello")
            sent = True

    return in_a_closure, in_a_nonlocal_name


in_a_closure, in_a_nonlocal_name = remembering()


@pytest.mark.parametrize(
    "remember",
    [
        in_a_class,
        in_a_list_of_a_class,
        in_a_metaclass,
        in_a_cached_property,
        in_a_slot,
        in_a_nested_container,
        in_a_container_of_a_library,
        in_a_default,
        in_an_attribute,
        in_a_cache,
        in_what_a_cache_holds,
        in_a_cache_of_a_class,
        in_a_cache_of_a_decorator,
        in_a_cache_of_an_object,
        in_a_cache_of_a_static_method,
        in_a_handler,
        in_a_level,
        in_the_environment,
        in_a_closure,
        in_a_nonlocal_name,
    ],
)
def test_a_new_process_has_forgotten_what_is_kept(remember):
    def sends(number):
        remember()
        app.mailer.send(number, key=number)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mailer.send \[restart\]"):
        check_idempotent(sends, args=(1,), world=mails)


@functools.lru_cache
def name_of_worker():
    return uuid.uuid4().hex


def test_a_delivery_that_is_overtaken_goes_on_with_its_own_cache():
    def sends(number):
        mine = name_of_worker()
        app.mailer.send(number, key=number)
        assert name_of_worker() == mine

    check_idempotent(sends, args=(1,), world=mails, histories=["overlap"])


class Repository:
    rows: ClassVar[dict[int, str]] = {}


def test_what_the_world_makes_anew_belongs_to_the_world():
    def world():
        Repository.rows.clear()
        yield from mails()

    def sends_unless_stored(number):
        if number not in Repository.rows:
            app.mailer.send(number)
            Repository.rows[number] = "sent"

    check_idempotent(sends_unless_stored, args=(1,), world=world, histories=["twice", "restart"])


@functools.lru_cache
def greeted():
    return app.mailer.send("hello")


def test_a_cache_that_the_world_empties_belongs_to_a_process_all_the_same():
    def world():
        greeted.cache_clear()
        yield from mails()

    def sends(number):
        greeted()
        app.mailer.send(number, key=number)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mailer.send \[restart\]"):
        check_idempotent(sends, args=(1,), world=world)


@functools.lru_cache
def repository():
    return SimpleNamespace(rows={})


def test_a_cache_in_which_the_state_of_the_world_lies_belongs_to_the_world():
    def world():
        repository.cache_clear()
        yield lambda: {"rows": dict(repository().rows)}

    def stores(number):
        repository().rows[number] = "stored"

    check_idempotent(stores, args=(1,), world=world, histories=["twice", "restart", "overlap"])


def test_what_only_a_job_inside_of_a_test_can_reach_belongs_to_the_test():
    numbers = []

    def notes(number):
        numbers.append(number)
        app.mailer.send(number, key=number)

    check_idempotent(notes, args=(1,), world=mails, histories=["twice"])

    assert len(numbers) > 2


def test_a_new_process_of_a_large_project_has_forgotten_what_a_clean_run_keeps(articles):
    def announces(number):
        catalogue.announce(number, app.mailer)

    with pytest.raises(DuplicateEffect) as found:
        check_idempotent(announces, args=(7,), world=mails)

    assert "restart" in str(found.value).splitlines()[0]
    assert not articles[7].is_announced


def in_a_module_without_code():
    if not explored_project.settings.sent:
        app.mailer.send("hello")
        explored_project.settings.sent = True


def in_a_class_of_such_a_module():
    if not project_settings.Mails.sent:
        app.mailer.send("hello")
        project_settings.Mails.sent = True


def in_a_module_that_a_function_imports():
    from explored_project import settings

    if not settings.sent:
        app.mailer.send("hello")
        settings.sent = True


@pytest.mark.parametrize(
    "remember",
    [in_a_module_without_code, in_a_class_of_such_a_module, in_a_module_that_a_function_imports],
)
def test_a_new_process_has_forgotten_what_is_kept_in_a_module_that_never_runs(remember):
    def sends(number):
        remember()
        app.mailer.send(number, key=number)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mailer.send \[restart\]"):
        check_idempotent(sends, args=(1,), world=mails)
    assert not project_settings.sent
    assert not project_settings.Mails.sent


@pytest.fixture
def welcome(tmp_path, monkeypatch):
    """A module that no one has imported yet."""
    (tmp_path / "welcome_mails.py").write_text(
        "sent = set()\n"
        "class Mails:\n"
        "    sent = False\n"
        "def send_once(mailer):\n"
        "    if not sent:\n"
        "        mailer.send('hello')\n"
        "        sent.add(1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("welcome_mails", None)


def in_its_globals():
    import welcome_mails

    welcome_mails.send_once(app.mailer)


def in_its_class():
    from welcome_mails import Mails

    if not Mails.sent:
        app.mailer.send("hello")
        Mails.sent = True


@pytest.mark.parametrize("remember", [in_its_globals, in_its_class])
@pytest.mark.usefixtures("welcome")
def test_a_new_process_has_forgotten_what_is_kept_in_a_module_that_the_first_run_imports(remember):
    def sends(number):
        remember()
        app.mailer.send(number, key=number)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mailer.send \[restart\]"):
        check_idempotent(sends, args=(1,), world=mails)
    assert not sys.modules["welcome_mails"].sent
    assert not sys.modules["welcome_mails"].Mails.sent


@pytest.mark.parametrize(
    "remember",
    [in_a_class, in_a_cache, in_the_environment, in_a_module_without_code, in_its_globals],
)
@pytest.mark.usefixtures("welcome")
def test_what_an_overtaking_delivery_keeps_is_not_in_the_first_process(remember):
    def sends(number):
        app.mailer.send(number, key=number)
        remember()

    # Wherever the first delivery is overtaken.
    every_point = r"(?s)\[overlap, 1 of (\d+) failing points\].*explored: \1 of \1 histories"
    with pytest.raises(DuplicateEffect, match=every_point):
        check_idempotent(sends, args=(1,), world=mails, histories=["overlap"])


def test_a_module_may_have_its_own_variables_under_a_name(tmp_path, monkeypatch):
    (tmp_path / "mails_by_name.py").write_text(
        "variables = globals()\n"
        "both = [variables]\n"
        "sent = False\n"
        "def send_once(mailer):\n"
        "    if not sent:\n"
        "        mailer.send('hello')\n"
        "        variables['sent'] = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    mails_by_name = importlib.import_module("mails_by_name")
    monkeypatch.delitem(sys.modules, "mails_by_name")
    monkeypatch.setitem(sys.modules, "mails_by_name", mails_by_name)

    def sends(number):
        mails_by_name.send_once(app.mailer)
        app.mailer.send(number, key=number)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mailer.send \[restart\]"):
        check_idempotent(sends, args=(1,), world=mails)
    assert not mails_by_name.sent
    assert mails_by_name.variables is vars(mails_by_name)


def test_a_check_leaves_the_memory_as_it_was():
    def sends(number):
        in_a_class()
        client()["sent"] = True
        app.mailer.send(number, key=number)

    with pytest.raises(DuplicateEffect):
        check_idempotent(sends, args=(1,), world=mails)

    assert not Templates.loaded
    assert client.cache_info().currsize == 0


def test_a_check_leaves_loggers_as_they_were():
    def configures(number):
        logging.getLogger("shop.configured").addHandler(logging.NullHandler())
        logging.getLogger("shop.configured").setLevel(logging.DEBUG)
        app.mailer.send(number, key=number)

    check_idempotent(configures, args=(1,), world=mails, histories=["twice", "restart", "overlap"])

    assert logging.getLogger("shop.configured").handlers == []
    assert logging.getLogger("shop.configured").level == logging.NOTSET


def test_what_a_world_sets_in_the_process_is_there_in_each_delivery(tmp_path, monkeypatch):
    def world():
        log = logging.getLogger("shop.world")
        with monkeypatch.context() as changes:
            changes.setenv("SHOP_SENDER", "me")
            changes.chdir(tmp_path)
            changes.setattr(log, "handlers", [logging.NullHandler()])
            changes.setattr(log, "level", logging.INFO)
            yield from mails()

    def sends(number):
        assert Path.cwd() == tmp_path
        app.mailer.send(os.environ["SHOP_SENDER"], key=number)
        assert logging.getLogger("shop.world").handlers

    check_idempotent(sends, args=(1,), world=world, histories=["restart", "crash", "overlap"])

    assert "SHOP_SENDER" not in os.environ


def test_a_value_of_a_thread_is_the_same_under_all_names():
    def sends_to_the_user(number):
        request.user = number
        app.mailer.send(context.user(), key=number)

    before = context.request
    check_idempotent(
        sends_to_the_user, args=(1,), world=mails, histories=["twice", "restart", "overlap"]
    )

    assert context.request is before is request


def test_a_lock_is_the_same_under_all_names():
    def sends_under_the_lock(number):
        with lock:
            assert context.is_locked()
            app.mailer.send(number, key=number)

    before = context.lock
    check_idempotent(
        sends_under_the_lock, args=(1,), world=mails, histories=["twice", "restart", "overlap"]
    )

    assert context.lock is before is lock


current = None


def test_what_a_world_binds_is_there_until_it_ends_although_another_one_was_built_meanwhile():
    """The end of `out_of_order` is compared with that of another clean run, in a world of its own."""

    def world():
        global current  # noqa: PLW0603 - a name of a module is what is tested
        before, mine = current, object()
        current = mine
        yield from mails()
        assert current is mine
        current = before

    def sends(number):
        app.mailer.send(number, key=number)

    check_idempotent(
        sends, args=(1,), world=world, histories=["out_of_order"], others=[lambda: None]
    )

    assert current is None
