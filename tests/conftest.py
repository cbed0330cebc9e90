"""What every test of the project has at hand."""

from __future__ import annotations

import functools
import gc
import importlib.metadata
import os
import shutil
import sys
from collections import defaultdict
from contextlib import closing, suppress
from datetime import UTC, datetime
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from _pytest.pytester import SysModulesSnapshot
from fresh_runs import FreshRuns
from hypothesis import given, settings, strategies

from pytest_jobs.exploration import check
from pytest_jobs.exploration.engine.world import TimeLimit
from pytest_jobs.harness.records.home import is_installed
from pytest_jobs.harness.running.recurring import Recurring
from pytest_jobs.plugin.opening import HELD_SEAMS

pytest_plugins = ["pytester"]

_TESTS = Path(__file__).parent

# A commit of SQLite waits for the disc, which takes longer than most tests.
_MEMORY = "/dev/shm"
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _MEMORY)

# A run inside a test writes annotations only where the test says that GitHub runs it.
os.environ.pop("GITHUB_ACTIONS", None)

# No test is to depend on how busy the machine is.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Without assertion rewriting outside, modules are there already that the run inside would rewrite.
# Django is set up once a process: pytest-django would do it again in every run inside.
_INNER_OPTIONS = (
    "-p no:randomly -p no:django -o asyncio_default_fixture_loop_scope=function "
    "-W 'ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning'"
)


_SERVERS = {"mysql_url", "postgresql_url", "redis_url"}
#: Each item of these rooms is a check, a page or a project, which takes as long as a run of pytester. A table of
#: such items repeats one behaviour.
_ROTATING_ROOMS = {"corpus", "docs", "exploration"}
#: So many days pass until each item of a table was in `make test`.
_ROUND = 5
#: The processes of pytest-xdist have to choose alike, even at midnight.
os.environ.setdefault("PYTEST_JOBS_DAY", str(datetime.now(UTC).toordinal()))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what needs a server as slow, and rows that are not of today as wide, before `-m` is applied."""
    tables = defaultdict(list)
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if not _SERVERS.isdisjoint(fixtures):
            item.add_marker("slow")
        elif hasattr(item, "callspec") and (
            "pytester" in fixtures
            or item.get_closest_marker("rotating")
            or any(item.path.is_relative_to(_TESTS / room) for room in _ROTATING_ROOMS)
        ):
            tables[item.parent.nodeid, item.originalname].append(item)
    day = int(os.environ["PYTEST_JOBS_DAY"])
    for table in tables.values():
        # Of a short one, an item a day; tables of two show two things.
        turns = min(_ROUND, len(table))
        for number, item in enumerate(table if turns > 2 else ()):
            if number % _ROUND != day % turns:
                item.add_marker("wide")


@pytest.fixture(autouse=True, scope="session")
def _hypothesis_knows_its_random():
    """Let Hypothesis register its randomness: it asks what refers to that, which a frozen heap does not tell."""
    given(strategies.none())(lambda _: None)()


@pytest.fixture(autouse=True, scope="module")
def _little_to_collect():
    """Collect what the last module has left, and let collections skip the rest: each would take half a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _unhurried():
    """Give explorations so much time that none ends early, and tells less, on a slow machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "TimeLimit", lambda seconds: TimeLimit(100 * seconds))
        yield


@pytest.fixture(autouse=True, scope="session")
def _libraries_are_imported_once():
    """Let runs of pytester in this process forget no library that they were the first to import.

    The next run would import what is missing anew: classes twice, two lists of open harnesses, a half of Celery.
    """
    genuine = SysModulesSnapshot.restore

    def restore(self):
        imported = dict(sys.modules)
        genuine(self)
        for name, module in imported.items():
            if name.startswith("pytest_jobs.") or is_installed(module):
                sys.modules.setdefault(name, module)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SysModulesSnapshot, "restore", restore)
        yield


@pytest.fixture(autouse=True, scope="session")
def _what_is_installed_is_read_once():
    """Read once what is installed: runs of pytester would spend a quarter of their time on it.

    No function of this file is called for it later: a check would take its lines for those of the project.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            importlib.metadata,
            "distributions",
            functools.partial(tuple, [*importlib.metadata.distributions()]),
        )
        for name in ("entry_points", "files", "metadata"):
            read = getattr(PathDistribution, name).fget
            patch.setattr(PathDistribution, name, property(functools.cache(read)))
        yield


@pytest.fixture(autouse=True, scope="session")
def _time_is_chosen_before_it_passes():
    """Let no recurring job fire by the time of the system: its test would fail at some time of day."""
    genuine = Recurring.round

    @functools.wraps(genuine)
    def round_at_chosen_time(self, now_ns, until_ns):
        made = genuine(self, now_ns, until_ns)
        assert self.origin_ns is None, "set the clock before time passes: jobs.clock.move_to(...)"
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recurring, "round", round_at_chosen_time)
        yield


@pytest.fixture
def time_of_the_run(monkeypatch):
    """Let recurring jobs fire by the time of the system all the same, in a test that is about just that."""
    monkeypatch.setattr(Recurring, "round", Recurring.round.__wrapped__)


@pytest.fixture(autouse=True)
def _libraries_are_restored(request):
    """Restore the libraries after each test. The session keeps them patched, and tests look at their classes."""
    yield
    held = request.config.stash.get(HELD_SEAMS, None)
    if held is not None:
        held.close()


@pytest.fixture(autouse=True)
def _no_tracer_is_left():
    """Let no test leave something behind that hears of lines: the next would not be explored as a fresh one is."""
    before = sys.gettrace()
    yield
    after = sys.gettrace()
    sys.settrace(before)
    assert after is before


# Where one of these is set, pytest prints more, or in another encoding, or takes over the alarm of the outer run.
_SURROUNDINGS = ("BUILD_NUMBER", "CI", "PYTEST_TIMEOUT", "PYTHONIOENCODING")


@pytest.fixture(autouse=True)
def _files_end_with_their_test(request):
    """Remove the files of a test that passed, which pytest keeps for three sessions.

    Its folder stays, which `tmp_path_retention_policy` would remove: a later test would have the same paths then,
    and jobs and code are known by theirs.
    """
    names = {"pytester", "tmp_path"}.intersection(request.fixturenames)
    made = [request.getfixturevalue(name) for name in sorted(names)]
    before = request.session.testsfailed
    yield
    for folder in made if request.session.testsfailed == before else ():
        for path in Path(getattr(folder, "path", folder)).iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()


@pytest.fixture(scope="session")
def fresh_runs():
    """Return what runs pytest in fresh processes."""
    with closing(FreshRuns()) as runs:
        yield runs


@pytest.fixture(autouse=True)
def _calm_inner_runs(request, fresh_runs):
    """Keep the runs inside a test from being shuffled, from warnings of other plugins, and from where they run."""
    if "pytester" not in request.fixturenames:
        yield
        return
    pytester = request.getfixturevalue("pytester")
    if hasattr(os, "fork"):
        pytester.runpytest_subprocess = functools.partial(fresh_runs.run, pytester)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", _INNER_OPTIONS)
        for name in _SURROUNDINGS:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def run_test(pytester):
    """Return a function that runs a test module inside this test."""

    def run_test(source):
        pytester.makepyfile(source)
        return pytester.runpytest()

    return run_test
