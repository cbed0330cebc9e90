"""The lines of a job count wherever its file lies, and with or without a file."""

import importlib
import linecache
import sys
import zipfile

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect, PartialExploration
from pytest_jobs.exploration.engine import scope

SOURCE = """
state = {}

def count():
    state["sent"] = state.get("sent", 0) + 1

def send(number):
    if state.get("done"):
        return
    count()
    state["done"] = True
"""
REMEMBERING = """
sent = []
seen = set()

def send(number):
    if number not in seen:
        seen.add(number)
        sent.append(number)
"""


class FakeClock:
    tick = None


fake_clock = FakeClock()


@pytest.fixture
def imported(monkeypatch):
    """Return a function that imports a module from a place that Python did not look into before."""

    def imported(place, name):
        monkeypatch.syspath_prepend(str(place))
        for known in [known for known in sys.modules if known.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, known)
        return importlib.import_module(name)

    return imported


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return a folder that counts as the one of installed packages."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for paths in ("_ELSEWHERE", "_PACKAGES"):
        known = getattr(scope, paths)
        monkeypatch.setattr(scope, paths, (*known, f"{folder.resolve()}/"))
    return folder


def world_of(state):
    def world():
        state.clear()
        yield lambda: dict(state)

    return world


def failure(job, world, **options):
    with pytest.raises(DuplicateEffect) as found:
        check_idempotent(job, args=(7,), world=world, **options)
    return found.value.report


def diverges(job, state, **options):
    with pytest.raises(AssertionError) as found:
        check_idempotent(job, args=(7,), world=world_of(state), **options)
    return str(found.value)


def test_a_module_that_is_installed(installed, imported):
    (installed / "shop_installed.py").write_text(SOURCE)
    shop = imported(installed, "shop_installed")

    text = diverges(shop.send, shop.state)

    assert "DIVERGED sent [crash" in text.splitlines()[0]
    assert "count()" in text


def test_the_other_modules_of_an_installed_package_are_named(installed, imported):
    package = installed / "shop_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "marks.py").write_text("def mark(state): state['done'] = True\n")
    (package / "jobs.py").write_text(
        "from .marks import mark\nstate = {}\ndef send(number):\n    mark(state)\n"
    )
    jobs = imported(installed, "shop_package") and importlib.import_module("shop_package.jobs")

    with pytest.warns(PartialExploration, match=r"lines of marks\.py: mark"):
        explored = check_idempotent(jobs.send, args=(7,), world=world_of(jobs.state))

    assert [point.function for point in explored.explorations[0].points] == ["send"] * 2


def test_a_module_in_a_zip(tmp_path, imported):
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        archive.writestr("shop_zipped.py", SOURCE)
    shop = imported(tmp_path / "shop.zip", "shop_zipped")

    text = diverges(shop.send, shop.state)

    assert "DIVERGED sent [crash" in text.splitlines()[0]
    assert '    11  state["done"] = True' in text


def test_a_function_that_exec_made():
    namespace = {}
    exec(compile(SOURCE, "<generated>", "exec"), namespace)

    text = diverges(namespace["send"], namespace["state"])

    assert "DIVERGED sent [crash" in text.splitlines()[0]
    assert "(no source)" in text


def test_a_function_of_a_notebook_whose_helpers_lie_in_other_cells():
    namespace = {}
    for number, cell in enumerate(SOURCE.split("\n\n")):
        linecache.cache[f"<cell {number}>"] = (len(cell), None, cell.splitlines(True), "")
        exec(compile(cell, f"<cell {number}>", "exec"), namespace)

    text = diverges(namespace["send"], namespace["state"])

    assert "DIVERGED sent [crash" in text.splitlines()[0]
    assert 'state["sent"] = state.get("sent", 0) + 1' in text


def test_a_new_process_has_fresh_globals_where_no_module_has_them():
    namespace = {}
    exec(compile(REMEMBERING, "<generated>", "exec"), namespace)

    def world():
        namespace["sent"].clear()
        yield lambda: {"sent": list(namespace["sent"])}

    assert failure(namespace["send"], world).history == "restart"


def test_a_new_process_has_fresh_globals_in_a_zip(tmp_path, imported):
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        archive.writestr("shop_remembering.py", REMEMBERING)
    shop = imported(tmp_path / "shop.zip", "shop_remembering")

    def world():
        shop.sent.clear()
        yield lambda: {"sent": list(shop.sent)}

    assert failure(shop.send, world).history == "restart"


def test_a_job_whose_name_begins_like_that_of_a_test():
    state = {}

    def test_delivery(number):
        state["done"] = True

    explored = check_idempotent(test_delivery, args=(7,), world=world_of(state))

    assert len(explored.explorations[0].points) == 2


def test_the_functions_that_show_the_state_are_not_named_as_lines_that_were_not_explored(
    tmp_path, imported
):
    (tmp_path / "shown_shop.py").write_text(
        "def rows(state): return sorted(state)\ndef opened(state): return lambda: {'seen': rows(state)}\n"
    )
    shown = imported(tmp_path, "shown_shop")
    seen = set()

    def note(number):
        fake_clock.tick()
        seen.add(number)

    def world():
        seen.clear()
        with fake(fake_clock, "tick", lambda: None):
            yield shown.opened(seen)

    explored = check_idempotent(
        note, args=(7,), world=world, trace=[note], at_least_once={"tick"}, histories=["crash"]
    )

    assert explored.explorations[0].untraced == ()
