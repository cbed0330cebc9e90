"""Files that a test writes, imports as tests of a project would, and lints."""

from __future__ import annotations

import importlib
import re
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

import pytest
from django_project import configure

from pytest_jobs.insight.lint.linter import lint
from pytest_jobs.insight.lint.settings import LintSettings
from pytest_jobs.insight.source.running import Running, running_jobs

_LIBRARIES = re.compile(
    r"^(?:from|import) "
    r"(celery|rq|huey|dramatiq|arq|saq|taskiq|procrastinate|apscheduler|django(?:_q|_tasks)?)\b",
    re.MULTILINE,
)

_OF_BRIDGES = str(Path(__file__).parents[1] / "bridges")


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Return a context in which the modules of some files are imported, by their names below `tmp_path`."""

    @contextmanager
    def imported(files):
        used = "\n".join((tmp_path / name).read_text("utf-8") for name in files)
        for library in _LIBRARIES.findall(used):
            pytest.importorskip(library)
        names = [name.removesuffix(".py") for name in files if name.endswith(".py")]
        names = [name.replace("/", ".").removesuffix(".__init__") for name in names]
        with monkeypatch.context() as patch:
            patch.syspath_prepend(tmp_path)
            patch.setattr(sys, "dont_write_bytecode", True)
            if "django" in used:
                configure()
            # What earlier examples and other tests have declared may have the same names.
            for name, module in [*sys.modules.items()]:
                if str(getattr(module, "__file__", None)).startswith(_OF_BRIDGES):
                    patch.delitem(sys.modules, name)
            if "celery" in sys.modules:
                from celery import _state

                # One that is set up later would take the shared tasks of the example, and keep them.
                for application in [*_state._apps]:
                    with suppress(Exception):
                        application.finalize(auto=True)
                patch.setattr(_state, "_on_app_finalizers", {*_state._on_app_finalizers})
                patch.setattr(_state, "_apps", WeakSet())
            if "dramatiq" in used:
                import dramatiq.broker

                patch.setattr(dramatiq.broker, "global_broker", None)
            for name in names:
                # The context gives it back as it was.
                patch.setitem(sys.modules, name, None)
                del sys.modules[name]
            for name in names:
                importlib.import_module(name)
            yield running_jobs(tmp_path)

    return imported


@pytest.fixture
def linted(tmp_path, imported):
    """Return a function that writes files, imports them, lints them, and returns what was found."""

    def linted(files, *, imports=True, **settings):
        files = {"app.py": files} if isinstance(files, str) else files
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        options = LintSettings(**settings)
        if not imports:
            return lint([tmp_path], options, base=tmp_path, running=Running()).found
        with imported(files) as running:
            return lint([tmp_path], options, base=tmp_path, running=running).found

    return linted
