"""The hooks that conftest files and other plugins can implement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from . import frames

if TYPE_CHECKING:
    from ..exploration.engine.sources import EffectSource
    from ..harness.jobs import Jobs
    from ..harness.records.bridge import Bridge
    from ..harness.records.delivery import Delivery


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks known to pytest.

    The frames are registered here as well, since no other hook runs before conftest files are imported.
    """
    pluginmanager.add_hookspecs(JobsHookSpecs)
    pluginmanager.register(frames, "pytest_jobs_frames")


class JobsHookSpecs:
    """The hooks of pytest-jobs."""

    @pytest.hookspec
    def pytest_jobs_bridges(self, config: pytest.Config) -> Sequence[Bridge] | None:
        """Return new bridges to job libraries, for one harness.

        Use in conftest plugins: any conftest file. Called whenever a harness is opened.
        """

    @pytest.hookspec
    def pytest_jobs_effect_sources(self, config: pytest.Config) -> Sequence[EffectSource] | None:
        """Return effect sources of the project, which report to explorations what jobs do.

        Use in conftest plugins: any conftest file. Called at the beginning of each exploration.
        """

    @pytest.hookspec
    def pytest_jobs_opened(self, jobs: Jobs, nodeid: str) -> None:
        """The harness of a test has been opened.

        Use in conftest plugins: any conftest file.

        Args:
            jobs: the harness.
            nodeid: the id of the test, empty for the session.
        """

    @pytest.hookspec
    def pytest_jobs_delivered(self, delivery: Delivery) -> None:
        """A delivery has been made and recorded.

        Use in conftest plugins: any conftest file.
        """
