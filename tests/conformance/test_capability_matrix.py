"""The table of what each bridge can do is the one in the documentation."""

from pathlib import Path

import pytest

pytest.importorskip("celery")
pytest.importorskip("django.conf")
pytest.importorskip("taskiq_redis")

from test_celery_conformance import CeleryLibrary
from test_core_conformance import Core
from test_django_conformance import DjangoLibrary
from test_taskiq_conformance import TaskiqLibrary

from pytest_jobs.conformance.case import capability_matrix

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "bridges.md"
BEGIN, END = "<!-- begin matrix -->\n", "<!-- end matrix -->"


def test_the_table_in_the_documentation_is_generated():
    written = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip()

    made = capability_matrix([Core(), CeleryLibrary(), DjangoLibrary(), TaskiqLibrary()])

    assert written == made, f"put this between the marks in {PAGE.name}:\n\n{made}"
