"""Loading the plugin imports nothing heavy beyond what pytest itself did."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "asyncio",
    "hypothesis",
    "time_machine",
    "fakeredis",
    "redis",
    "coverage",
    "celery",
    "sqlalchemy",
}
SCRIPT = """
import json, sys
import pytest

code = pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]])
print("\\n" + json.dumps([int(code), sorted(sys.modules)]))
"""
#: The test prints which of our modules pytest itself has loaded, to rewrite their assertions.
REWRITTEN = """
import json, sys

def test_it(jobs):
    import pytest_jobs.conformance.retrying

    found = [name for name, module in sys.modules.items() if name.startswith("pytest_jobs")
             and type(module.__spec__.loader).__name__ == "AssertionRewritingHook"]
    print("rewritten:", json.dumps(found))
"""
#: To whom explorations tell what they found, and the options that a JobsTestCase reads without pytest: two pages,
#: which import nothing else.
PAGES = {
    "pytest_jobs.assertions",
    "pytest_jobs.assertions.options",
    "pytest_jobs.exploration",
    "pytest_jobs.exploration.report",
    "pytest_jobs.exploration.report.audience",
}
PLUGIN = ("-p", "pytest_jobs.plugin")


@pytest.fixture
def modules_of(tmp_path, monkeypatch):
    """Return a function that runs a test in a process of its own and returns what was imported."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("PYTEST_ADDOPTS", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")

    def modules_of(test, *arguments):
        path = tmp_path / "test_it.py"
        path.write_text(test, "utf-8")
        result = subprocess.run(
            [sys.executable, script, path, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        code, names = json.loads(result.stdout.splitlines()[-1])
        assert code == 0, result.stdout
        return set(names)

    return modules_of


NOTHING = "def test_it(): pass"
FIXTURE = """
from pytest_jobs import Job

class Pay(Job):
    def perform(self, payment_id): pass

def test_it(jobs, assert_enqueued):
    Pay.perform_later(7)
    assert_enqueued(Pay, args=(7,))
    jobs.perform_due()
"""


def test_the_plugin_imports_nothing_heavy(modules_of):
    added = modules_of(NOTHING, *PLUGIN) - modules_of(NOTHING)

    assert "pytest_jobs.plugin" in added
    assert {name.partition(".")[0] for name in added} & HEAVY == set()


def test_the_plugin_imports_itself_alone(modules_of):
    rooms = {
        name.split(".")[1]
        for name in modules_of(NOTHING, *PLUGIN)
        if name.startswith("pytest_jobs.") and name not in PAGES
    }

    assert rooms == {"plugin"}


def test_a_harness_whose_clock_stands_imports_nothing_heavy(modules_of):
    added = modules_of(FIXTURE, *PLUGIN) - modules_of(NOTHING)

    assert "pytest_jobs.harness.jobs" in added
    assert {name.partition(".")[0] for name in added} & HEAVY == set()


def test_pytest_rewrites_the_conformance_suite_and_no_other_module_of_ours(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    # As the entry point of an installed plugin does.
    pytester.makeconftest("import pytest; pytest.register_assert_rewrite('pytest_jobs')")
    pytester.makepyfile(REWRITTEN)

    result = pytester.run(sys.executable, "-m", "pytest", "-s", "-p", "pytest_jobs.plugin")

    result.assert_outcomes(passed=1)
    rewritten = set(json.loads(result.stdout.str().partition("rewritten: ")[2].splitlines()[0]))
    assert "pytest_jobs.conformance.retrying" in rewritten
    assert {name for name in rewritten if "conformance" not in name} == {"pytest_jobs.plugin"}


def test_the_core_imports_neither_pytest_nor_the_harness():
    script = "import sys; from pytest_jobs import Job, configure, job; print(*sorted(sys.modules), sep='\\n')"
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {name.partition(".")[0] for name in result.stdout.splitlines()}
    ours = {name.split(".")[1] for name in result.stdout.splitlines() if "pytest_jobs." in name}

    assert imported & (HEAVY | {"pytest", "_pytest"}) == set()
    assert ours == {"core", "errors"}
