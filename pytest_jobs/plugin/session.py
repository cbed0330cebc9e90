"""A session: its options and the plugins that they ask for at the beginning, and the colours at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from .exploring import Explorations
from .settings.declared import MARKER
from .settings.options import read_options, session_options


def pytest_configure(config: pytest.Config) -> None:
    """Read the options once, and guard the session where a harness is always open."""
    config.addinivalue_line("markers", MARKER)
    options = read_options(config)
    register = config.pluginmanager.register
    register(Explorations(config), "pytest_jobs_explorations")
    # These are imported only where they are used: they import the harness.
    if options.opens:
        from .guard import SessionGuard

        register(SessionGuard(config), "pytest_jobs_guard")
    if options.lint:
        from .linting import LintPlugin

        register(LintPlugin(config), "pytest_jobs_lint")
    if options.attack == "twice":
        from .adversary.twice import TwicePlugin

        register(TwicePlugin(config, options), "pytest_jobs_adversary")
    if options.attack == "crash":
        from .adversary.crash import CrashPlugin

        register(CrashPlugin(config, options), "pytest_jobs_adversary")


def pytest_report_collectionfinish(
    config: pytest.Config, items: Sequence[pytest.Item]
) -> list[str]:
    """Say which libraries are captured, when there are tests with a harness and their modules are imported."""
    if not any("job_harness" in getattr(item, "fixturenames", ()) for item in items):
        return []
    from ..bridges.libraries.capture import described_libraries

    return [f"jobs: {line}" for line in described_libraries(session_options(config).ignore)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Paint the failures: reports in files are written by now, and the terminal shows them next."""
    terminal: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or not terminal.hasmarkup:
        return
    reports = [*terminal.stats.get("failed", ()), *terminal.stats.get("error", ())]
    if reports:
        # Its patterns take a millisecond.
        from .colours import paint

        paint(reports, session.config.get_terminal_writer().markup)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is in force, where it is not the default."""
    options = session_options(config)
    shown = []
    if options.always:
        shown.append(f"mode {options.mode}")
    if options.strict:
        shown.append("strict")
    if options.raise_at != "end":
        shown.append(f"errors raised at {options.raise_at}")
    if options.jitter != "zero":
        shown.append(f"jitter {options.jitter}")
    queues = options.queues
    if queues is not None:
        counts = {"concurrency": queues.concurrency, "max_retries": queues.max_retries}
        idle = [name for name, count in counts.items() if count is not None] + [*queues.left_out]
        without = f" (not its {', '.join(idle)})" if idle else ""
        shown.append(f"queues {queues.described} by {queues.source}{without}")
    if options.recurring is not None:
        shown.append(f"recurring jobs of {options.recurring.written}")
    if options.attack == "twice":
        shown.append("every delivery twice")
    if options.attack == "crash":
        shown.append(f"killed at up to {options.crash_points} points of each test")
    return f"jobs: {', '.join(shown)}" if shown else None
