"""`jobs_ignore` names libraries whose jobs are left alone."""

import pytest

from pytest_jobs.bridges.libraries.known import LIBRARIES


@pytest.mark.parametrize(
    ("ini", "arguments"),
    [
        ("jobs_ignore = django celry", []),
        ("jobs_ignore = django,celry", []),
        ("jobs_ignore = django", ["-o", "jobs_ignore=rq celry"]),
    ],
)
def test_a_library_that_there_is_not_stops_the_run(pytester, ini, arguments):
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        "ERROR: jobs_ignore: 'celry' is not a job library: did you mean 'celery'? The libraries are "
        f"{', '.join(sorted(LIBRARIES))}."
    )
