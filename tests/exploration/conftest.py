"""The server of the tests that need one."""

from servers import postgresql_url  # noqa: F401 - a fixture
