"""`python -m pytest_jobs init` shows the settings with which to start, and writes them when that is agreed."""

from __future__ import annotations

import io

import pytest
from doctor_gallery import some_bridges
from trees import plant

from pytest_jobs.__main__ import main

pytest.importorskip("yaml")


@pytest.fixture
def init(capsys, monkeypatch):
    """Return a function that runs the command in a tree, and returns its exit code, output and errors."""

    def init(root, *arguments, answer=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        with some_bridges():
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
        'jobs_queues = "config/queue.yml"\n'
    )
    head = "[tool.pytest.ini_options]\n"
    assert code == 0
    assert printed == f"# pyproject.toml\n{head}{lines}pyproject.toml is written.\n"
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
    assert 'jobs_queues = "config/queue.yml"' in text


@pytest.mark.parametrize(("answer", "is_written"), [("y\n", True), ("n\n", False), ("", False)])
def test_without_yes_it_asks(init, tmp_path, answer, is_written):
    root = plant("five_schedulers", tmp_path)

    code, printed, _ = init(root, answer=answer)

    assert "Write this to pytest.ini? [y/N] " in printed
    assert code == (0 if is_written else 1)
    assert (root / "pytest.ini").exists() == is_written


def test_a_project_without_settings_of_pytest_gets_a_file(init, tmp_path):
    root = plant("five_schedulers", tmp_path)

    init(root, "--yes")

    assert (root / "pytest.ini").read_text("utf-8") == "[pytest]\njobs_mode = record\n"


def test_a_pyproject_without_a_section_of_pytest_gets_one(init, tmp_path):
    root = plant("fastapi_taskiq", tmp_path)
    before = (root / "pyproject.toml").read_text("utf-8")

    init(root, "--yes")

    assert (root / "pyproject.toml").read_text("utf-8") == (
        f'{before}\n[tool.pytest.ini_options]\njobs_mode = "record"\n'
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

    pytester.runpytest().assert_outcomes(passed=1)
