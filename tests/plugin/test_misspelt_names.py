"""A name that is nearly one of ours stops the run, and the message has the right one."""

import pytest

from pytest_jobs.assertions.options import NAMES


@pytest.fixture
def stopped(pytester):
    """Return a function that runs a test and returns the message that stopped the run."""

    def stopped(source="def test_it(): print('it ran')", *arguments):
        pytester.makepyfile(test_it=source)
        result = pytester.runpytest("-s", *arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
        assert "it ran" not in result.stdout.str()
        return result.stderr.str().strip().removeprefix("ERROR: ")

    return stopped


@pytest.mark.parametrize(
    ("written", "question"),
    [
        ("jobs_mdoe", ": did you mean jobs_mode?"),
        ("jobs_app", ": did you mean jobs_apps?"),
        ("job_apps", ": did you mean jobs_apps?"),
        ("jobs-jitter", ": did you mean jobs_jitter?"),
        ("jobs_xyzzy", "."),
    ],
)
def test_an_option_of_the_ini_file(pytester, stopped, written, question):
    pytester.makeini(f"[pytest]\n{written} = x")

    assert (
        stopped()
        == f"tox.ini: {written} is not an option of pytest-jobs{question} The options are {', '.join(NAMES)}."
    )


def test_an_option_of_pyproject_toml(pytester, stopped):
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\njobs_modes = 'record'")

    assert stopped().startswith(
        "pyproject.toml: jobs_modes is not an option of pytest-jobs: did you mean jobs_mode? "
    )


def test_an_option_of_the_command_line(stopped):
    assert stopped("", "-o", "jobs_moed=record").startswith(
        "-o jobs_moed is not an option of pytest-jobs: did you mean jobs_mode? "
    )


@pytest.mark.filterwarnings(
    "ignore:Unknown config option:pytest.PytestConfigWarning",
    "ignore::pytest.PytestUnknownMarkWarning",
)
def test_options_and_markers_that_are_not_ours_are_left_alone(pytester, run_test):
    pytester.makeini(
        "[other]\njobs_mdoe = record\n[pytest]\njob_location = here\njobs_directory = here\n"
        "markers =\n    jobs_slow: jobs that take long\n    jos(n)\n"
    )
    pytester.makepyprojecttoml("[tool.pytest-jobs.lint]\nignore = []\n")
    pytester.makeconftest("def pytest_addoption(parser): parser.addini('jobs_directory', 'where')")
    run_test("""
        import pytest

        @pytest.mark.jobs_slow
        @pytest.mark.jos(7)
        @pytest.mark.obs
        @pytest.mark.jinja
        def test_less_alike_or_registered(): pass

        @pytest.mark.job
        def test_without_arguments(): pass

        @pytest.mark.job(7)
        def test_by_position(): pass

        @pytest.mark.job(name='nightly')
        def test_by_another_keyword(): pass
    """).assert_outcomes(passed=4)


@pytest.mark.parametrize("table", ["pytest-jobs", "pytest_jobs"])
def test_a_table_of_our_own_in_pyproject_toml(pytester, stopped, table):
    pytester.makepyprojecttoml(f"[tool.{table}]\nmode = 'record'\napps = ['django']")

    assert stopped() == (
        f"pyproject.toml: pytest-jobs reads no table [tool.{table}]. Its options stand with those of pytest: "
        "write jobs_mode, jobs_apps under [tool.pytest.ini_options] instead."
    )


def test_a_table_of_our_own_beside_another_ini_file(pytester, stopped):
    pytester.makepyprojecttoml("[tool.pytest-jobs]\njobs_mdoe = 'record'")
    pytester.makefile(".ini", pytest="[pytest]\n")

    assert stopped().endswith("write jobs_mode under [pytest] of pytest.ini instead.")


@pytest.mark.parametrize("name", ["job", "jbos", "Jobs", "jobss"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnknownMarkWarning")
def test_a_marker_with_keywords_of_ours_fails_its_test(run_test, name):
    result = run_test(
        f"import pytest\n@pytest.mark.{name}(mode='inline')\ndef test_it(): pass\ndef test_b(): pass"
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            f"@pytest.mark.{name} of test_a_marker_*.py::test_it is not a marker of pytest-jobs: did you mean*"
        ]
    )


def test_an_option_beside_the_table_of_the_lint_is_refused(pytester):
    pytester.makepyprojecttoml(
        "[tool.pytest-jobs]\njobs_mode = 'record'\n[tool.pytest-jobs.lint]\n"
    )
    pytester.makepyfile("def test_it(): pass")

    pytester.runpytest().stderr.fnmatch_lines(["*write jobs_mode under*"])
