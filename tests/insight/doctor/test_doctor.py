"""`python -m pytest_jobs doctor` says what was seen of a project, with its places, and how to start."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest
from doctor_gallery import SAID, said_about
from tables import each_row
from trees import TREES, plant

from pytest_jobs.__main__ import main
from pytest_jobs.bridges.libraries.floors import floors_of
from pytest_jobs.bridges.libraries.known import EVERY
from pytest_jobs.insight.doctor.reading import read_project
from pytest_jobs.insight.doctor.rows import AWAY, EVERYWHERE, ROWS

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = DOCS / "examples"
#: What is wrong with its files is said in the words of the Python that reads them.
WHOLE = [name for name in TREES if name != "broken"]


@pytest.mark.parametrize("name", WHOLE)
def test_what_the_doctor_says_about_a_project(name, tmp_path):
    """`python tests/insight/doctor/doctor_gallery.py` writes the texts anew."""
    assert said_about(name, tmp_path) == (SAID / f"{name}.txt").read_text("utf-8")


def test_each_tree_has_its_text():
    assert {path.stem for path in SAID.glob("*.txt")} == {*WHOLE}


def test_what_cannot_be_read_is_said(tmp_path):
    said = said_about("broken", tmp_path)

    assert "Celery ==5.5.0 (captured by pytest-jobs)  requirements.txt:1, app.py:1\n" in said
    for file in ("Pipfile.lock", "pyproject.toml", "1 file that is not Python"):
        assert f"not read: {file} " in said
    assert said.endswith(". Mend it first.\n")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("rq==1.16.1", f"RQ ==1.16.1 (too old: pytest-jobs needs rq{floors_of('rq')['rq']})"),
        ("rq==3.0.0", "RQ ==3.0.0 (captured by pytest-jobs)"),
        # pip may take a newer one.
        ("rq>=1.16", "RQ >=1.16 (captured by pytest-jobs)"),
        ("rq==2.*", "RQ ==2.* (captured by pytest-jobs)"),
    ],
)
def test_a_version_below_the_floor_is_not_said_to_be_captured(written, said, tmp_path, capsys):
    (tmp_path / "requirements.txt").write_text(written, "utf-8")

    assert main(["doctor", str(tmp_path)]) == 0

    assert capsys.readouterr().out.startswith(f"{said}  requirements.txt:1\n")


def test_json_has_each_fact_with_its_places(tmp_path):
    found = json.loads(said_about("django_celery", tmp_path, "--json"))

    (celery,) = found["libraries"]
    assert (celery["name"], celery["version"], celery["is_bridged"]) == ("celery", "==5.4.0", True)
    assert celery["places"][0] == "requirements/base.txt:2"
    assert found["jobs"]["celery"]["2 decorators and 2 calls"][0] == "shop/tasks.py:5"
    assert found["seen"]["broker"] == {"Redis": ["config/settings.py:6"]}
    assert found["nothing_seen_of"][-1] == "unique jobs"
    assert found["pages"]["queues"] == "Configure queues"
    assert found["start"]["install"] == "pip install pytest-jobs"
    assert found["next"].startswith("pytest --jobs-audit")
    assert found["not_read"] == []


def test_the_pages_that_it_names_are_there():
    lines = (page.read_text("utf-8").splitlines() for page in DOCS.rglob("*.md"))
    headings = {line.lstrip("# ") for line in chain.from_iterable(lines) if line.startswith("#")}

    named = {*(row.page for row in ROWS), *AWAY.values(), *EVERYWHERE.values()} - {""}

    assert named - headings == set()


def test_the_page_about_bridges_has_the_default_acknowledgement_of_each_library():
    table = (DOCS / "reference" / "bridges.md").read_text("utf-8").partition("| acknowledges |")[2]
    rows = [
        [cell.strip() for cell in row.split("|")]
        for row in table.splitlines()
        if row.count("|") > 4
    ]
    titles = {"core": "the core", "background_tasks": "BackgroundTasks"}

    for library in EVERY.values():
        title = titles.get(library.name, library.title)
        said = [row[2] for row in rows if row[1].startswith(title)]
        assert library.acknowledges in (*said, ""), library.name


def test_no_password_of_an_address_is_shown(tmp_path):
    assert "secret" not in said_about("django_celery", tmp_path, "--json")


def test_nothing_is_imported_or_run(tmp_path):
    root = plant("django_celery", tmp_path)
    trap = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    for name in ("conftest.py", "setup.py", "config/settings.py", "manage.py"):
        with (root / name).open("a", encoding="utf-8") as file:
            file.write(trap)

    read_project(root)

    assert not (tmp_path / "ran").exists()


def test_links_are_not_followed_out(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "requirements.txt").write_text("celery\n", "utf-8")
    root = plant("nothing", tmp_path)
    (root / "more").symlink_to(outside)
    (root / "requirements-more.txt").symlink_to(outside / "requirements.txt")

    assert read_project(root).libraries == []


def test_rules_for_errors_of_a_base_class_count_and_circles_of_classes_end(tmp_path):
    (tmp_path / "jobs.py").write_text(
        "from pytest_jobs import Job, retry_on\n\n\n@retry_on(OSError, wait=60)\nclass Base(Job): ...\n\n\n"
        "class Pay(Base, Loop):\n    def perform(self): ...\n\n\nclass Loop(Pay): ...\n",
        "utf-8",
    )

    declared = read_project(tmp_path).declared

    assert [(one.name, "retry_on" in one.options) for one in declared] == [("Pay", True)]


def test_a_folder_that_is_not_there_is_an_error(capsys):
    assert main(["doctor", "nowhere"]) == 2
    assert capsys.readouterr().err == "There is no folder nowhere.\n"


@each_row(
    ("example", "libraries", "schedulers", "seen"),
    [
        ("apscheduler", ["apscheduler"], ["APScheduler"], "1 decorator and 2 calls"),
        ("arq", ["arq"], ["cron jobs of the worker"], "3 listed functions and 2 calls"),
        ("celery", ["celery"], [], "6 decorators and 7 calls"),
        ("django", ["django"], [], "3 decorators and 1 call"),
        ("django_q", ["django_q"], ["schedules of Django-Q2"], "2 calls"),
        ("fastapi", ["background_tasks"], [], "6 calls"),
        ("dramatiq", ["dramatiq"], [], "4 decorators and 2 calls"),
        ("huey", ["huey"], ["periodic tasks of Huey"], "5 decorators and 1 call"),
        ("oban", ["oban"], ["cron= of Oban's workers"], "4 decorators and 1 call"),
        (
            "procrastinate",
            ["procrastinate"],
            ["periodic tasks of Procrastinate"],
            "3 decorators and 2 calls",
        ),
        ("rq", ["rq"], ["enqueue_at of RQ", "`rq cron`"], "2 decorators and 4 calls"),
        ("saq", ["saq"], ["cron jobs of the worker"], "4 listed functions and 3 calls"),
        (
            "shop",
            ["core"],
            ["a file of recurring jobs (recurring.yml)"],
            "2 decorators, 12 derived jobs and 11 calls",
        ),
        ("taskiq", ["taskiq"], ["TaskiqScheduler"], "3 decorators and 4 calls"),
    ],
)
def test_the_doctor_is_right_about_the_examples(example, libraries, schedulers, seen):
    facts = read_project(EXAMPLES / example)

    assert [library.name for library in facts.libraries] == libraries
    assert [*facts.seen.get("recurring jobs", ())] == schedulers
    assert facts.jobs_of(libraries[0])[0] == seen
    assert facts.unread == []
