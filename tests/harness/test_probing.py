"""A library is probed for what we rely on; its version number alone refuses nothing."""

import sys
import warnings
from types import ModuleType

import pytest
from tables import each_row

from pytest_jobs.bridges.toolkit import Probe
from pytest_jobs.errors import JobsWarning, UnknownVersionError


class Queue:
    """A class of the library."""

    @property
    def pool(self):
        """Exist."""

    def put(self, body, *, delay=None):
        """Take a body and a delay."""


@pytest.fixture(autouse=True)
def library(monkeypatch):
    module = ModuleType("postbox.queues")
    module.Queue, module.now = Queue, len
    monkeypatch.setitem(sys.modules, "postbox", ModuleType("postbox"))
    monkeypatch.setitem(sys.modules, "postbox.queues", module)
    return module


def probe(*seams):
    return Probe("postbox", *seams, tested=((2, 0), (2, 4)))


@each_row(
    "seam",
    [
        "postbox.queues:Queue",
        "postbox.queues:Queue.pool",
        "postbox.queues:Queue()",
        "postbox.queues:Queue.put(_, _)",
        "postbox.queues:Queue.put(_, _, delay=)",
        "postbox.queues:Queue.put(_, body=, delay=)",
        "postbox.queues:now(_)",
    ],
)
@each_row("version", ["1.0", "2.0.1", "2.4.9rc1", "main"])
def test_a_library_that_has_every_seam_is_accepted_without_a_word(seam, version):
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        probe(seam).check(version)


@each_row(
    ("seam", "problem"),
    [
        ("postbox.pools:Pool", "has no postbox.pools.Pool"),
        ("postbox.queues:Topic", "has no postbox.queues.Topic"),
        ("postbox.queues:Queue.get(_)", "has no postbox.queues.Queue.get"),
        (
            "postbox.queues:Queue.put(_, _, _)",
            "does not take the call postbox.queues.Queue.put(_, _, _) (too many positional arguments)",
        ),
        (
            "postbox.queues:now(_, obj=)",
            "does not take the call postbox.queues.now(_, obj=) (got an unexpected keyword argument 'obj')",
        ),
        (
            "postbox.queues:Queue.put(_)",
            "does not take the call postbox.queues.Queue.put(_) (missing a required argument: 'body')",
        ),
    ],
)
def test_the_error_names_the_seam_and_the_version(seam, problem):
    with pytest.raises(UnknownVersionError) as refused:
        probe("postbox.queues:Queue", seam).check("2.1.0")

    assert str(refused.value) == (
        f"postbox 2.1.0 {problem}, and pytest-jobs relies on that: it was tested with postbox 2.0 to 2.4. "
        'Install "postbox>=2.0,<2.5".'
    )


def test_for_a_newer_library_another_pytest_jobs_may_be_the_way_out():
    with pytest.raises(UnknownVersionError) as refused:
        probe("postbox.queues:Topic").check("2.5.0")

    assert str(refused.value).endswith('Upgrade pytest-jobs, or install "postbox>=2.0,<2.5".')


@pytest.mark.parametrize(("action", "version"), [("always", "2.5.0"), ("error", "2.7.0")])
def test_of_a_newer_version_with_every_seam_one_warning_says_so(action, version):
    newer = probe("postbox.queues:Queue.pool")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter(action)
        for each in (newer, newer, probe("postbox.queues:Queue")):
            each.check(version)

    (only,) = warned
    assert only.category is JobsWarning
    assert str(only.message) == (
        f"postbox {version} is newer than what pytest-jobs was tested with (2.0 to 2.4); its seams are where they "
        "were."
    )


def test_a_library_is_looked_at_once_and_what_was_missing_refused_each_time(library):
    once, never = probe("postbox.queues:Queue.pool"), probe("postbox.queues:Topic")
    for _ in range(2):
        once.check("2.4.0")
        with pytest.raises(UnknownVersionError):
            never.check("2.4.0")
        library.Topic = Queue
        library.__dict__.pop("Queue", None)
