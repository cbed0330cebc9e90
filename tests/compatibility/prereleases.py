"""Try the pre-releases of job libraries, each in an environment of its own, and name the probe that failed.

`python tests/compatibility/prereleases.py [--keep FOLDER] [LIBRARY ...]`. It ends with 1 if one does not fit. The
nightly workflow runs it, so that we know what a release breaks before our users do.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from environments import ROOT, made, said, tried

#: By the extra that installs a library: the library that `jobs_apps` names, and the modules that make it known.
LIBRARIES = {
    "apscheduler": ("apscheduler", "apscheduler.schedulers.background"),
    "arq": ("arq", "arq"),
    "background-tasks": ("background_tasks", "starlette.applications"),
    "celery": ("celery", "celery.app"),
    "django": ("django", "django.tasks"),
    "django-q": ("django_q", "django_q.tasks"),
    "dramatiq": ("dramatiq", "dramatiq"),
    "huey": ("huey", "huey"),
    "oban": ("oban", "oban"),
    "procrastinate": ("procrastinate", "procrastinate"),
    "rq": ("rq", "rq"),
    "saq": ("saq", "saq"),
    "taskiq": ("taskiq", "taskiq"),
}
#: A bridge probes what it patches when it is made.
PROBE = """
import importlib, sys
name, module = sys.argv[1:]
if name in ("django", "django_q"):
    import django
    from django.conf import settings
    settings.configure(INSTALLED_APPS=["django_q"] if name == "django_q" else [])
    django.setup()
importlib.import_module(module)
from pytest_jobs.bridges.libraries.capture import bridge_or_reason
from pytest_jobs.bridges.libraries.known import LIBRARIES
found = bridge_or_reason(LIBRARIES[name])
sys.exit(found if isinstance(found, str) else 0)
"""


def trial(extra: str, folder: Path) -> str:
    """Return what is wrong with the newest version of a library; empty if it fits."""
    name, module = LIBRARIES[extra]
    python = made(
        folder / "environment", "--pre", f"{ROOT}[{extra},recurring,redis]", "--group", "test-tools"
    )
    _, version = said(python, "-m", "pip", "list", "--format=freeze")
    sys.stdout.write(f"{extra}: {' '.join(re.findall(rf'(?im)^{extra}==.*$', version))}\n")
    code, text = said(python, "-c", PROBE, name, module)
    if code:
        return f"the probe failed: {text.strip().splitlines()[-1]}"
    tests = f"tests/conformance/test_{name}_conformance.py"
    code, text = said(python, "-m", "pytest", "-q", "-p", "no:django", "-m", "not slow", tests)
    failed = re.findall(r"(?m)^(?:FAILED|ERROR) (.*)$", text)
    return (
        "\n  ".join(["these tests failed:", *failed] if failed else [text[-2000:]]) if code else ""
    )


if __name__ == "__main__":
    sys.exit(tried(__doc__, LIBRARIES, trial))
