"""`python -m pytest_jobs init` shows the settings with which to start, and writes them when that is agreed."""

from __future__ import annotations

import io
from textwrap import dedent

import pytest
from trees import plant

from pytest_jobs.__main__ import main
from pytest_jobs.insight.doctor import command


@pytest.fixture
def init(capsys, monkeypatch):
    """Return a function that runs the command in a tree, and returns its exit code, output and errors."""

    def init(root, *arguments, answer="", runs=lambda base, file: ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        if runs is not None:
            monkeypatch.setattr(command, "run", runs)
        code = main(["init", str(root), *arguments])
        return (code, *capsys.readouterr())

    return init


def test_the_settings_are_shown_and_written_into_the_section_that_is_there(init, tmp_path):
    root = plant("core_alone", tmp_path)
    before = (root / "pyproject.toml").read_text("utf-8")

    code, printed, _ = init(root, "--yes")

    lines = (
        'jobs_mode = "record"\n'
        'jobs_recurring = "config/recurring.yml"\n'
        'jobs_queues = "config/queue.yml production"\n'
        'pythonpath = ["."]\n'
    )
    head = "[tool.pytest.ini_options]\n"
    assert code == 0
    test = (root / "tests" / "test_jobs.py").read_text("utf-8")
    assert printed == (
        f"# pyproject.toml\n{head}{lines}# tests/test_jobs.py\n{test}"
        "Written: pyproject.toml and tests/test_jobs.py. The test of tests/test_jobs.py passes.\n"
    )
    assert (root / "pyproject.toml").read_text("utf-8") == before.replace(head, head + lines)


def test_a_second_run_changes_nothing(init, tmp_path):
    root = plant("core_alone", tmp_path)
    init(root, "--yes")
    once = (root / "pyproject.toml").read_text("utf-8")

    code, printed, _ = init(root, "--yes")

    assert code == 0
    assert printed == "There is nothing to write.\n"
    assert (root / "pyproject.toml").read_text("utf-8") == once


def test_what_is_there_stays(init, tmp_path):
    root = plant("core_alone", tmp_path)
    path = root / "pyproject.toml"
    path.write_text(path.read_text("utf-8") + 'jobs_mode = "inline"\n', "utf-8")

    init(root, "--yes")

    text = path.read_text("utf-8")
    assert 'jobs_mode = "inline"' in text
    assert 'jobs_mode = "record"' not in text
    assert 'jobs_queues = "config/queue.yml production"' in text


@pytest.mark.parametrize(("answer", "is_written"), [("y\n", True), ("n\n", False), ("", False)])
def test_without_yes_it_asks(init, tmp_path, answer, is_written):
    root = plant("five_schedulers", tmp_path)

    code, printed, _ = init(root, answer=answer)

    assert "Write this to pytest.ini and tests/test_jobs.py? [y/N] " in printed
    assert code == (0 if is_written else 1)
    assert (root / "pytest.ini").exists() == is_written
    assert (root / "tests" / "test_jobs.py").exists() == is_written


def test_a_project_without_settings_of_pytest_gets_a_file(init, tmp_path):
    root = plant("five_schedulers", tmp_path)

    init(root, "--yes")

    assert (root / "pytest.ini").read_text("utf-8") == (
        "[pytest]\njobs_mode = record\npythonpath = .\n"
    )


def test_a_pyproject_without_a_section_of_pytest_gets_one(init, tmp_path):
    root = plant("fastapi_taskiq", tmp_path)
    before = (root / "pyproject.toml").read_text("utf-8")

    init(root, "--yes")

    assert (root / "pyproject.toml").read_text("utf-8") == (
        f'{before}\n[tool.pytest.ini_options]\npythonpath = ["."]\n'
    )


def test_where_older_tests_have_another_way_no_mode_is_set(init, tmp_path):
    code, printed, _ = init(plant("celery_with_workers_in_tests", tmp_path), "--yes")

    assert code == 0
    assert "No jobs_mode yet: older tests use another way" in printed
    assert printed.endswith("There is nothing to write.\n")


def test_a_section_that_lies_elsewhere_is_left_alone(init, tmp_path):
    root = plant("core_alone", tmp_path)
    text = '[project]\nname = "shop"\n\n[tool]\npytest.ini_options = { testpaths = ["tests"] }\n'
    (root / "pyproject.toml").write_text(text, "utf-8")

    code, _, errors = init(root, "--yes")

    assert code == 1
    assert errors.startswith("pyproject.toml was not changed: ")
    assert (root / "pyproject.toml").read_text("utf-8") == text


def test_a_link_is_left_alone(init, tmp_path):
    root = plant("core_alone", tmp_path)
    elsewhere = tmp_path / "elsewhere.toml"
    (root / "pyproject.toml").rename(elsewhere)
    (root / "pyproject.toml").symlink_to(elsewhere)
    text = elsewhere.read_text("utf-8")

    code, _, errors = init(root, "--yes")

    assert code == 1
    assert errors == "pyproject.toml is a link, and was not changed. Write the lines yourself.\n"
    assert elsewhere.read_text("utf-8") == text


def test_a_folder_that_is_not_there_is_an_error(init, tmp_path):
    assert init(tmp_path / "nowhere")[0] == 2


def test_with_the_written_settings_tests_have_a_harness(init, pytester):
    pytester.makefile(".txt", requirements="celery\n")
    pytester.makepyfile(
        app="from pytest_jobs import job\n\n\n@job\ndef put(key: int) -> None: ...\n"
    )
    pytester.makepyfile(
        test_app="from app import put\n\n\ndef test_it():\n    put.perform_later(1)\n"
    )

    init(pytester.path, "--yes")

    pytester.runpytest("test_app.py").assert_outcomes(passed=1)


FIRST = """\
\"\"\"A first test of a job: what a worker does when it fails. Write your own beside it.\"\"\"

from shop.jobs import PayLater


def test_what_a_worker_does_when_pay_later_fails(jobs):
    # The body of the job does not run. `print(timeline)` draws how often the job is tried again, and when.
    timeline = jobs.simulate_retries(PayLater, raising=RuntimeError("a first test"))

    assert timeline.attempts
"""


@pytest.fixture
def shop(pytester):
    """A project of one job in a package."""
    pytester.mkpydir("shop").joinpath("jobs.py").write_text(
        "from pytest_jobs import Job\n\n\nclass PayLater(Job):\n    def perform(self, payment_id): ...\n",
        "utf-8",
    )
    return pytester


def test_the_first_test_is_of_a_job_of_the_project_and_passes(init, shop):
    init(shop.path, "--yes")

    assert (shop.path / "tests" / "test_jobs.py").read_text("utf-8") == FIRST
    shop.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_file_of_tests_that_is_there_stays(init, shop):
    path = shop.mkdir("tests") / "test_jobs.py"
    path.write_text("def test_mine(): ...\n", "utf-8")

    code, printed, _ = init(shop.path, "--yes")

    assert code == 0
    assert "test_jobs.py" not in printed
    assert path.read_text("utf-8") == "def test_mine(): ...\n"


def test_a_folder_of_tests_that_is_a_link_is_left_alone(init, shop, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (shop.path / "tests").symlink_to(elsewhere, target_is_directory=True)

    init(shop.path, "--yes")

    assert [*elsewhere.iterdir()] == []


@pytest.mark.parametrize("has", ["conftest.py", "tests/__init__.py"])
def test_where_pytest_finds_the_project_by_itself_no_path_is_set(init, shop, has):
    (shop.path / has).parent.mkdir(exist_ok=True)
    (shop.path / has).write_text("", "utf-8")

    init(shop.path, "--yes")

    assert "pythonpath" not in (shop.path / "pytest.ini").read_text("utf-8")


def test_a_project_below_src_is_imported_from_there(init, shop):
    (shop.path / "src").mkdir()
    (shop.path / "shop").rename(shop.path / "src" / "shop")

    init(shop.path, "--yes")

    assert "pythonpath = src\n" in (shop.path / "pytest.ini").read_text("utf-8")


def test_jobs_that_need_a_pool_get_no_first_test(init, pytester):
    pytester.makepyfile(
        jobs="async def shrink(ctx): ...\n\n\nclass WorkerSettings:\n    functions = [shrink]\n"
    )

    _, printed, _ = init(pytester.path, "--yes")

    assert "test_jobs.py" not in printed


def test_a_test_that_does_not_pass_is_taken_back_with_its_settings(init, pytester):
    text = "from pytest_jobs import job\n\n\n@job\ndef pay(): ...\n\n\n@job\ndef ship(): ...\n"
    pytester.makepyfile(jobs=text)
    ran = []

    def runs(base, file):
        ran.append(file.read_text("utf-8").partition("import ")[2].partition("\n")[0])
        return f"E   ImportError: no {ran[-1]}"

    code, _, errors = init(pytester.path, "--yes", runs=runs)

    assert code == 1
    assert ran == ["pay", "ship"]
    assert errors.startswith(
        "Nothing was written: a run of the tests says\nE   ImportError: no pay\n"
    )
    assert {path.name for path in pytester.path.iterdir()} == {"jobs.py"}


def test_a_second_job_is_tried_where_the_test_of_the_first_does_not_pass(init, pytester):
    text = "from pytest_jobs import job\n\n\n@job\ndef pay(): ...\n\n\n@job\ndef ship(): ...\n"
    pytester.makepyfile(jobs=text)

    code, _, _ = init(
        pytester.path,
        "--yes",
        runs=lambda base, file: "E   no pay" if "import pay" in file.read_text("utf-8") else "",
    )

    assert code == 0
    assert "import ship" in (pytester.path / "tests/test_jobs.py").read_text("utf-8")


def test_in_a_monorepo_all_is_written_beside_the_settings_that_count_for_the_job(init, pytester):
    (pytester.path / "pyproject.toml").write_text('[project]\nname = "all"\n', "utf-8")
    api = pytester.mkdir("apps") / "api"
    api.mkdir()
    (api / "pytest.ini").write_text("[pytest]\naddopts = -ra\n", "utf-8")
    (api / "jobs.py").write_text("from pytest_jobs import job\n\n\n@job\ndef pay(): ...\n", "utf-8")

    init(pytester.path, "--yes")

    assert (api / "pytest.ini").read_text("utf-8") == (
        "[pytest]\njobs_mode = record\npythonpath = .\naddopts = -ra\n"
    )
    assert (api / "tests" / "test_jobs.py").exists()
    assert (pytester.path / "pyproject.toml").read_text("utf-8") == '[project]\nname = "all"\n'


DJANGO = {
    "manage.py": """
        import os
        import sys

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
        if __name__ == "__main__":
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
        """,
    "site_/__init__.py": "",
    "site_/settings.py": "INSTALLED_APPS = ['notes']\nSECRET_KEY = 'x'\n",
    "notes/__init__.py": "",
    "notes/models.py": """
        from django.db import models


        class Note(models.Model): ...
        """,
    "notes/tasks.py": """
        from notes.models import Note
        from pytest_jobs import job


        @job
        def tidy(): ...
        """,
}


@pytest.fixture
def django(pytester):
    """A project of Django, whose job imports a model."""
    for name, text in DJANGO.items():
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), "utf-8")
    return pytester


def test_with_pytest_django_the_settings_module_of_manage_is_written(init, django):
    django.makefile(".txt", requirements="pytest-django\n")

    init(django.path, "--yes")

    assert (django.path / "pytest.ini").read_text("utf-8") == (
        "[pytest]\nDJANGO_SETTINGS_MODULE = site_.settings\njobs_mode = record\npythonpath = .\n"
    )


@pytest.mark.wide
def test_a_project_without_pytest_gets_a_test_case_that_manage_runs(init, django):
    code, printed, errors = init(django.path, "--yes", runs=None)

    assert (code, errors) == (0, "")
    assert printed.endswith("Written: test_jobs.py. The test of test_jobs.py passes.\n")
    assert "class FirstJobTest(JobsTestCase):" in (django.path / "test_jobs.py").read_text("utf-8")
    assert not (django.path / "pytest.ini").exists()


@pytest.mark.wide
def test_what_cannot_be_imported_here_is_said_in_the_words_of_pytest(init, shop):
    (shop.path / "shop" / "jobs.py").write_text(
        "import nowhere_at_all\nfrom pytest_jobs import job\n\n\n@job\ndef pay(): ...\n", "utf-8"
    )

    code, _, errors = init(shop.path, "--yes", runs=None)

    assert code == 1
    assert "E   ModuleNotFoundError: No module named 'nowhere_at_all'\n" in errors
    assert {path.name for path in shop.path.iterdir()} == {"shop"}
