"""What the processes of a session have imported, and the jobs that their libraries know."""

from __future__ import annotations

from typing import Any

import pytest

from ...insight.source.running import Running, running_jobs

#: Where a worker of pytest-xdist puts what it has imported.
_KEY = "pytest_jobs_running"
_NAME = "pytest_jobs_importing"


class Importing:
    """Reads the registries when all tests have run; then `running` has those of all workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.running = Running()

    # Before those who use it, which come last.
    def pytest_sessionfinish(self) -> None:
        """Read what this process has; a worker sends it to the controller."""
        self.running.add(running_jobs(self._config.rootpath.resolve()))
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self.running.to_dict()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker of pytest-xdist has imported."""
        found = getattr(node, "workeroutput", {}).get(_KEY)
        if found is not None:
            self.running.add(Running.from_dict(found))


def importing(config: pytest.Config) -> Importing:
    """Return what reads the registries of the session: the first option that asks for it registers it."""
    manager = config.pluginmanager
    found = manager.get_plugin(_NAME)
    if not isinstance(found, Importing):
        found = Importing(config)
        manager.register(found, _NAME)
    return found
