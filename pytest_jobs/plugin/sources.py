"""The effect sources that conftest files and other plugins give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ..exploration.sources import sources_of_project

if TYPE_CHECKING:
    from ..exploration.sources import EffectSource


def hand_over_sources(config: pytest.Config) -> None:
    """Let explorations ask the hook for the effect sources of the project, while pytest runs."""

    def sources() -> list[EffectSource]:
        found = config.hook.pytest_jobs_effect_sources(config=config)
        return [source for several in found for source in several]

    token = sources_of_project.set(sources)
    config.add_cleanup(lambda: sources_of_project.reset(token))
