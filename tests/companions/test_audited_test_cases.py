"""A Django project of twenty test cases, audited as a whole, on sqlite and on PostgreSQL.

The name of a case says what breaks it: for `Unsafe...` a second delivery, for `Crashes...` only a kill.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("pytest_django")
pytest.importorskip("celery")
pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent / "django_suite"
INI = """
[pytest]
DJANGO_SETTINGS_MODULE = shop.settings
pythonpath = .
python_files = cases.py
jobs_apps = celery:shop.tasks:app
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, monkeypatch):
    if request.param == "postgresql":
        pytest.importorskip("psycopg")
        url = request.getfixturevalue("postgresql_url")
        (host,) = parse_qs(urlsplit(url).query)["host"]
        monkeypatch.setenv("SHOP_HOST", host)


def test_an_audit_finds_the_unsafe_jobs_of_twenty_test_cases_and_breaks_none(
    pytester, monkeypatch, database
):
    monkeypatch.setenv(
        "PYTEST_ADDOPTS", "-p no:randomly -o asyncio_default_fixture_loop_scope=function"
    )
    shutil.copytree(PROJECT, pytester.path, dirs_exist_ok=True)
    (pytester.path / "pytest.ini").write_text(INI, "utf-8")

    result = pytester.runpytest_subprocess("--jobs-audit", "-v")

    found = {
        line[1]
        for line in map(re.compile(r"- [A-Z]+ .* in (\w+)\(").match, result.outlines)
        if line
    }
    result.assert_outcomes(passed=21)
    assert found == {"reward", "note", "reward_then_mark", "mark_then_reward", "write_then_mark"}
    result.stdout.fnmatch_lines(["14 jobs reached, 14 checked, *"])
