"""`jobs_ignore` names libraries whose jobs are left alone."""

import pytest

from pytest_jobs.bridges.libraries.known import LIBRARIES


@pytest.mark.parametrize(
    ("ini", "arguments", "where"),
    [
        ("jobs_ignore = django celry", [], "jobs_ignore"),
        ("", ["--jobs-ignore=celry"], "--jobs-ignore"),
        ("", ["--jobs-ignore=django,celry"], "--jobs-ignore"),
        (
            "jobs_ignore = django",
            ["--jobs-ignore", "rq", "--jobs-ignore", "celry"],
            "--jobs-ignore",
        ),
    ],
)
def test_a_library_that_there_is_not_stops_the_run(pytester, ini, arguments, where):
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        f"ERROR: {where}: 'celry' is not a job library: did you mean 'celery'? The libraries are "
        f"{', '.join(sorted(LIBRARIES))}."
    )
