"""A session records what it sees of its jobs for the options that show it."""

from __future__ import annotations

import pickle

import pytest

CONFTEST = """
import pickle
from pathlib import Path

import pytest

from pytest_jobs.plugin.insight.recording import recording

seen = []

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    seen.append(recording(config, config.pluginmanager.get_plugin("pytest_jobs_explorations").audience))

@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(config):
    Path("seen.pickle").write_bytes(pickle.dumps(seen[0].seen))
"""
TESTS = """
    import pytest
    from pytest_jobs import check_idempotent
    from shop import Pay, Sync

    rows = {}

    def world():
        rows.clear()
        yield lambda: {"rows": dict(rows)}

    def store():
        rows[1] = 2

    @pytest.fixture
    def drained(jobs):
        yield
        jobs.drain()

    def test_teardown(drained):
        Pay.perform_later(1)

    def test_check_without_harness():
        check_idempotent(store, world=world)

    def test_fails(jobs):
        Sync.perform_later()
        assert False

    def test_without_jobs():
        pass
"""


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="one process"),
        pytest.param(["-n", "2"], id="xdist", marks=pytest.mark.slow),
    ],
)
def test_harnesses_checks_and_outcomes_of_all_tests_are_there(pytester, arguments):
    if arguments:
        pytest.importorskip("xdist")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_it=TESTS)

    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=3, failed=1)

    seen = pickle.loads((pytester.path / "seen.pickle").read_bytes())
    found = {
        test.nodeid.partition("::")[2]: (
            test.outcome,
            [record.job.name for record in test.records],
            [delivery.status for delivery in test.deliveries],
            [check.job.name for check in test.checks],
        )
        for test in seen.tests
    }
    assert found == {
        "test_teardown": ("passed", ["shop.Pay"], ["performed"], []),
        "test_check_without_harness": ("passed", [], [], ["test_it.store"]),
        "test_fails": ("failed", ["shop.Sync"], [], []),
    }
