"""Registers what tells of the jobs of a session: the lint, the audit, messages in flight, and the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ..assertions.options import (
    AUDIT,
    BASELINE,
    LINT,
    MESSAGES,
    REPORT,
    UPDATE_BASELINE,
    NamedFile,
    Settings,
    is_annotating,
)
from ..errors import BaselineError
from ..insight.lint.baseline import Baseline

if TYPE_CHECKING:
    from .exploring import Explorations


def register_insight(config: pytest.Config, options: Settings, explorations: Explorations) -> None:
    """Register what the options ask for. Who writes last what others found is registered last.

    Raises:
        pytest.UsageError: when a file cannot be read or written: that is said now, and not after all tests.
    """
    register, audience = config.pluginmanager.register, explorations.audience
    baseline = _baseline(options)
    for file in () if hasattr(config, "workerinput") else options[REPORT]:
        _check_file(file)
    files = [file.path for file in options[REPORT]]
    lint = audit = None
    if options[LINT]:
        from .insight.linting import LintPlugin

        lint = LintPlugin(config, baseline)
        register(lint, "pytest_jobs_lint")
    messages = options[MESSAGES]
    if messages is not None:
        from .insight.messages import MessagesPlugin

        register(MessagesPlugin(config, messages.path, options), "pytest_jobs_messages")
    if options[AUDIT]:
        from .audit.plugin import AuditPlugin

        audit = AuditPlugin(config, options, baseline, audience, explorations.notes)
        register(audit, "pytest_jobs_audit")
    if not files and not is_annotating():
        return
    from .found import Found

    found = Found(config, files)
    found.lint, found.audit = lint, audit
    if audit is not None:
        audit.when_found = found.write
    if any(file.suffix == ".html" for file in files):
        from .insight.contexts import LineContexts
        from .insight.reporting import Reporting

        register(LineContexts(config), "pytest_jobs_contexts")
        shown = (lambda: None) if audit is None else audit.shown
        found.page = Reporting(config, audience, shown, lint).page
    register(found, "pytest_jobs_found")


def _baseline(options: Settings) -> Baseline | None:
    file = options[BASELINE]
    if file is None:
        return None
    try:
        return Baseline(
            file.path, where=file.where, written=file.written, updates=options[UPDATE_BASELINE]
        )
    except BaselineError as error:
        raise pytest.UsageError(str(error)) from None


def _check_file(file: NamedFile) -> None:
    """Refuse the file of a report that cannot be written."""
    path = file.path
    if path.suffix == ".html":
        from ..integrations.templates import has_templates

        if not has_templates():
            raise pytest.UsageError(
                f"{file.where} needs Jinja2: pip install 'pytest-jobs[report]'."
            )
    is_new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise pytest.UsageError(
            f"{file.where}: the report cannot be written into {path}: {error.strerror}. Name a file that you may "
            "write, such as jobs.html."
        ) from None
