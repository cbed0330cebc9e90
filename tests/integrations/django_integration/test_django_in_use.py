"""A harness watches Django's transactions where Django is set up, and imports nothing to find out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("django")

SCRIPT = """
import sys
{set_up}
from pytest_jobs.bridges.opening import transactions_in_use
print([found.name for found in transactions_in_use()], "django" in sys.modules)
"""


@pytest.mark.rotating
@pytest.mark.parametrize(
    ("set_up", "environment", "printed"),
    [
        ("", {}, "[] False"),
        ("", {"DJANGO_SETTINGS_MODULE": "shop.settings"}, "[] False"),
        ("import django.db", {}, "[] True"),
        ("import django.db", {"DJANGO_SETTINGS_MODULE": "shop.settings"}, "['django'] True"),
        (
            "import django.db; from django.conf import settings; settings.configure()",
            {},
            "['django'] True",
        ),
    ],
)
def test_what_is_found(set_up, environment, printed):
    inherited = {key: value for key, value in os.environ.items() if "DJANGO" not in key}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(set_up=set_up)],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.strip() == printed


def test_a_harness_of_its_own_watches_them(test_case):
    from django.db import transaction

    from pytest_jobs import open_jobs

    with open_jobs() as jobs:
        transaction.on_commit(print)

        assert [found.text for found in jobs.waiting_for_commit] == ["print"]
