"""The servers of the tests that need one."""

from servers import mysql_url, postgresql_url  # noqa: F401 - fixtures
