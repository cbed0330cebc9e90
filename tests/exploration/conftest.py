"""The server of the tests that need one, and a process in which a check takes as long late as early."""

import pytest
from servers import postgresql_url  # noqa: F401 - a fixture


@pytest.fixture(autouse=True, scope="module")
def _checks_collect_little(little_to_collect):
    """Let no check pay for what other tests have left."""
