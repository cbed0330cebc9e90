"""Versions of libraries: a bridge warns of one that is newer, and refuses one that lacks what it relies on."""

import importlib
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tables import each_row

from pytest_jobs.bridges.libraries.capture import bridge_module
from pytest_jobs.errors import JobsWarning, UnknownVersionError

#: By the library: where its version stands, and a method that its bridge relies on.
SEAMS = {
    "apscheduler": (
        "apscheduler:version",
        "apscheduler.schedulers.base:BaseScheduler._real_add_job",
    ),
    "arq": ("pytest_jobs.bridges.arq.bridge:VERSION", "arq.worker:Worker.run_job"),
    "celery": ("celery:__version__", "celery.utils.time:random"),
    "dramatiq": ("dramatiq:__version__", "dramatiq.worker:_WorkerThread.process_message"),
    "huey": ("huey:__version__", "huey.api:Huey.execute"),
    "oban": ("oban:__version__", "oban._query:Query.insert_jobs"),
    "procrastinate": ("procrastinate:__version__", "procrastinate.worker:Worker._process_job"),
    "rq": ("rq:__version__", "rq.job:Job.restore"),
    "saq": ("saq:__version__", "saq:Queue.map"),
    "taskiq": ("taskiq:__version__", "taskiq.receiver.params_parser:parse_params"),
}


@pytest.fixture(params=SEAMS)
def library(request):
    pytest.importorskip(request.param)
    return request.param


@pytest.fixture
def installed(library, monkeypatch):
    """Return a function that lets a library have another version, and returns its new bridge then."""
    bridge = bridge_module(library).bridge
    module, _, name = SEAMS[library][0].partition(":")

    def other(version):
        monkeypatch.setattr(importlib.import_module(module), name, version)
        return bridge(())

    return other


def test_of_a_version_that_is_newer_than_those_tested_a_warning_says_so(library, installed):
    with pytest.warns(JobsWarning, match=rf"{library} 99\.98 is newer than what pytest-jobs was"):
        assert installed("99.98").version == "99.98"


def test_a_version_without_a_seam_is_refused_by_the_name_of_the_seam(
    library, installed, monkeypatch
):
    module, _, path = SEAMS[library][1].partition(":")
    *classes, name = path.split(".")
    owner = importlib.import_module(module)
    for each in classes:
        owner = getattr(owner, each)
    monkeypatch.delattr(owner, name)

    with pytest.raises(UnknownVersionError) as refused:
        installed("99.97")

    assert str(refused.value).startswith(f"{library} 99.97 has no {module}.{path}, and pytest-jobs")


@each_row(
    ("extra", "name", "versions"),
    [
        ("celery", "celery", ("5.3.0", "5.4.0", "5.8.0", "6.0.0", "7.1")),
        ("taskiq", "taskiq", ("0.12.0", "0.13.0", "0.14.0", "1.0")),
        ("django", "django", ("4.2", "7.0")),
        ("django", "django-tasks", ("0.10.0", "0.13.0")),
    ],
)
def test_installing_pytest_jobs_leaves_the_library_of_a_project_alone(extra, name, versions):
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text("utf-8"))
    wanted = map(Requirement, project["project"]["optional-dependencies"][extra])
    (specifier,) = (each.specifier for each in wanted if each.name == name)

    assert all(version in specifier for version in versions)
