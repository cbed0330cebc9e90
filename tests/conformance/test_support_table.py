"""The table of what works with which library is as the bridges are."""

import pytest

pytest.importorskip("celery")
pytest.importorskip("django.conf")
pytest.importorskip("taskiq_redis")

from support_table import PAGES, WORDS, with_table

from pytest_jobs.conformance.case import CAPABILITIES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_table_of_a_page_is_as_the_bridges_are(path):
    """`python tests/conformance/support_table.py` writes it anew."""
    page = path.read_text("utf-8")

    assert with_table(page, PAGES[path]) == page


def test_each_capability_has_a_word():
    assert WORDS.keys() == CAPABILITIES.keys()
