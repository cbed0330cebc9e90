"""Second test databases for checks without a world, made just after pytest-django has made the first."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any, Final

import pytest

#: The fixture of pytest-django that makes the test databases.
_SETUP: Final = "django_db_setup"


class Cloning:
    """Copies the test databases of PostgreSQL, since the server copies none to which a test is connected."""

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        result = yield
        if fixturedef.argname == _SETUP:
            self._make(fixturedef, request.getfixturevalue("django_db_blocker"))
        return result

    def _make(self, fixturedef: pytest.FixtureDef[Any], blocker: Any) -> None:
        from ..exploration.worlds.django.databases import Clones, clones

        made, stack = Clones(), ExitStack()
        with blocker.unblock():
            stack.enter_context(made.made())
        token = clones.set(made)
        stack.callback(clones.reset, token)

        def drop() -> None:
            with blocker.unblock():
                stack.close()

        fixturedef.addfinalizer(drop)
