"""Linting files that a test writes."""

from __future__ import annotations

import importlib
import re
import sys
from weakref import WeakSet

import pytest

from pytest_jobs.insight.lint.basis.settings import LintSettings
from pytest_jobs.insight.lint.linter import lint
from pytest_jobs.insight.source.running import Running, running_jobs

_LIBRARIES = re.compile(
    r"^(?:from|import) (celery|rq|huey|dramatiq|arq|saq|taskiq|procrastinate|apscheduler|django)\b",
    re.MULTILINE,
)


@pytest.fixture
def linted(tmp_path, monkeypatch):
    """Return a function that writes files, imports them, lints them, and returns what was found."""

    def linted(files, *, imports=True, **settings):
        if isinstance(files, str):
            files = {"app.py": files}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        options = LintSettings(**settings)
        if not imports:
            return lint([tmp_path], options, base=tmp_path, running=Running()).found
        for library in {one for text in files.values() for one in _LIBRARIES.findall(text)}:
            pytest.importorskip(library)
        names = [name.removesuffix(".py") for name in files if name.endswith(".py")]
        names = [name.replace("/", ".").removesuffix(".__init__") for name in names]
        with monkeypatch.context() as patch:
            patch.syspath_prepend(tmp_path)
            patch.setattr(sys, "dont_write_bytecode", True)
            used = "\n".join(files.values())
            # What earlier examples declared has the same names.
            if "celery" in used:
                from celery import _state

                patch.setattr(_state, "_on_app_finalizers", {*_state._on_app_finalizers})
                patch.setattr(_state, "_apps", WeakSet())
            if "dramatiq" in used:
                import dramatiq.broker

                patch.setattr(dramatiq.broker, "global_broker", None)
            for name in names:
                # Given back as it was, as all other names of modules.
                patch.setitem(sys.modules, name, None)
                del sys.modules[name]
            for name in names:
                importlib.import_module(name)
            return lint(
                [tmp_path], options, base=tmp_path, running=running_jobs(tmp_path)
            ).found

    return linted
