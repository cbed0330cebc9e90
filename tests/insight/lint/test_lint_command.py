"""`python -m pytest_jobs lint`: paths, formats, comments, settings and exit codes."""

from __future__ import annotations

import json
from fnmatch import fnmatch

import pytest

from pytest_jobs.__main__ import main
from pytest_jobs.insight.lint import command

SWALLOWS = """\
from pytest_jobs import job


@job
def bill(order_id: int) -> None:
    try:
        invoice(order_id)
    except Exception:
        pass
"""
MESSAGE = (
    "`except Exception` swallows every error of bill: the job is performed successfully, and is not retried. "
    "Catch the errors that you expect, or raise again."
)

UNKNOWN = (
    "{path}: [tool.pytest-jobs.lint] has no setting 'max-lines'. The settings are: select, ignore, "
    "exclude, jobs, max-payload.\n"
)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, imported):
    """Return a function that runs the command and returns its exit code, its output and its errors.

    Without a file of tests the files are imported here, in the place of the run that collects tests.
    """
    monkeypatch.chdir(tmp_path)

    def run(*arguments, imports=True, **files):
        for name, text in files.items():
            (tmp_path / name.replace("__", ".")).write_text(text, "utf-8")
        written = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.py")}
        if not imports or any(name.startswith("test_") for name in written):
            code = main(["lint", *arguments])
        else:
            with imported(written) as running, monkeypatch.context() as patch:
                patch.setattr(command, "collected", lambda start: running)
                code = main(["lint", *arguments])
        return (code, *capsys.readouterr())

    return run


def test_a_finding_is_one_line_and_the_exit_code_is_one(run):
    code, printed, errors = run(tasks__py=SWALLOWS)

    assert (code, errors) == (1, "")
    assert printed == (
        f"tasks.py:8:5: JOB301 {MESSAGE}\n"
        "1 finding in 1 job of 1 file. `python -m pytest_jobs explain JOB301` says more.\n"
    )


def test_without_findings_it_says_how_much_it_looked_at(run):
    assert run(tasks__py="def bill(): ...\n", other__py="") == (
        0,
        "no findings in 0 jobs of 2 files.\n",
        "",
    )


WRAPPED = """\
import dramatiq


def actor(**options):
    def declare(function):
        return dramatiq.actor(function, **options)

    return declare


@actor(max_retries=3)
def bill(order_id): ...


@actor()
def send(order_id): ...


def checkout(order, mailer):
    bill.send(order.id)
    mailer.send(order.id)
"""


def test_a_library_without_a_job_is_an_error_with_what_its_text_shows(run):
    code, printed, errors = run(imports=False, tasks__py=WRAPPED)

    assert code == 2
    assert printed == (
        "nothing was judged with 0 jobs in 1 file; the job of 2 calls is not known.\n"
    )
    assert errors == (
        "Dramatiq is a dependency, and 0 jobs of it were found. The text has 2 decorators and 2 calls that look "
        "like it. Let the tests import the modules that declare its jobs, and run `pytest --jobs-lint`.\n"
    )


@pytest.mark.slow
def test_the_tests_are_collected_so_that_the_library_says_what_is_a_job(run):
    pytest.importorskip("dramatiq")
    wrapped = WRAPPED.replace("order_id): ...", "order_id):\n    print(order_id)")

    code, printed, errors = run(tasks__py=wrapped, test_tasks__py="import tasks\n")

    assert (code, errors) == (0, "")
    assert printed == "no findings in 2 jobs of 2 files; the job of 1 call is not known.\n"


@pytest.mark.slow
def test_the_tests_of_the_whole_project_are_collected_for_a_part_of_it(run, tmp_path):
    pytest.importorskip("dramatiq")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text(WRAPPED, "utf-8")

    _, printed, _ = run("shop", pyproject__toml="", test_shop__py="import shop\n")

    assert printed == "no findings in 2 jobs of 1 file; the job of 1 call is not known.\n"


@pytest.mark.slow
def test_a_project_that_cannot_be_imported_is_an_error_that_says_what_is_missing(run):
    code, printed, errors = run(tasks__py=WRAPPED, test_tasks__py="import not_installed\n")

    assert (code, printed) == (2, "")
    assert errors == (
        "The project cannot be imported, so its jobs are not known: `pytest --collect-only` says\n"
        "E   ModuleNotFoundError: No module named 'not_installed'\n"
        "ERROR test_tasks.py\n"
        "Install what is missing, or run this with the Python of the project.\n"
    )


@pytest.mark.parametrize(
    "test",
    [
        "from django.conf import settings\n\nsettings.DEBUG\n",
        "from django.conf import settings\n\nsettings.configure()\nimport django.contrib.auth.models\n",
    ],
)
def test_a_project_of_django_that_pytest_does_not_set_up_is_told_to_name_its_settings(run, test):
    pytest.importorskip("django")

    code, _, errors = run(tasks__py=WRAPPED, test_tasks__py=test)

    assert code == 2
    assert errors.splitlines()[-1].startswith(
        "Install pytest-django and name the settings of the project, as its manage.py does: "
        "`DJANGO_SETTINGS_MODULE=proj.settings python -m pytest_jobs lint`"
    )


def test_a_library_that_only_a_dependency_file_names_is_a_dependency(run, tmp_path):
    (tmp_path / "requirements.txt").write_text("rq==2.12\n", "utf-8")

    code, _, errors = run(app__py="def bill(): ...\n")

    assert code == 2
    assert errors.startswith(
        "RQ is a dependency, and 0 jobs of it were found. The text has 0 decorators"
    )


def test_what_only_tests_import_is_no_dependency(run):
    assert run(tasks_test__py="import rq\n")[0] == 0


def test_calls_of_unknown_jobs_are_counted_in_the_last_line(run):
    text = (
        SWALLOWS
        + "\n\ndef checkout(mailer):\n    bill.perform_later(7)\n    mailer.perform_later(7)\n"
    )

    code, printed, _ = run("--ignore=JOB3", tasks__py=text)

    assert code == 0
    assert printed == "no findings in 1 job of 1 file; the job of 1 call is not known.\n"


def test_a_chain_is_known_by_its_parts(run):
    text = (
        "from celery import Celery, chain\n\napp = Celery('shop', broker='memory://')\n\n\n"
        "@app.task\ndef fetch(): ...\n\n\ndef start():\n    chain(fetch.s(), fetch.si()).apply_async()\n"
    )

    assert run(tasks__py=text)[:2] == (0, "no findings in 1 job of 1 file.\n")


@pytest.mark.parametrize(
    "text",
    [
        "import queue as post_save\n\n\ndef start():\n    post_save.send(7)\n",
        "def start(manager):\n    manager.enqueue_job(7)\n",
    ],
    ids=["another package", "a library that is not imported"],
)
def test_a_name_is_nobodys_where_it_belongs_to_others(run, text):
    pytest.importorskip("dramatiq")
    actor = "import dramatiq\n\n\n@dramatiq.actor\ndef bill(order_id): ...\n\n\n"

    assert run(tasks__py=actor + text)[:2] == (0, "no findings in 1 job of 1 file.\n")


def test_github_shows_annotations(run, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    _, printed, _ = run(tasks__py=SWALLOWS)

    assert printed.splitlines()[2:] == [
        f"::warning file=tasks.py,line=8,col=5,title=JOB301::{MESSAGE}"
    ]


def test_json_has_what_was_found_and_how_much_was_looked_at(run):
    _, printed, _ = run("--format=json", tasks__py=SWALLOWS)

    assert json.loads(printed) == {
        "files": 1,
        "jobs": 1,
        "unseen": [],
        "unresolved": [],
        "findings": [
            {"rule": "JOB301", "path": "tasks.py", "line": 8, "column": 5, "message": MESSAGE}
        ],
    }


def test_sarif_names_the_rules_and_the_places(run):
    _, printed, _ = run("--format=sarif", tasks__py=SWALLOWS)
    (only,) = json.loads(printed)["runs"]

    assert {rule["id"] for rule in only["tool"]["driver"]["rules"]} >= {"JOB101", "JOB507"}
    assert only["results"] == [
        {
            "ruleId": "JOB301",
            "level": "warning",
            "message": {"text": MESSAGE},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "tasks.py"},
                        "region": {"startLine": 8, "startColumn": 5},
                    }
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        ("    except Exception:", "    except Exception:  # jobs: ignore[JOB301]"),
        ("    except Exception:", "    except Exception:  # jobs: ignore[JOB101, JOB301]"),
        ("    except Exception:", "    except Exception:  # jobs: ignore"),
        ("    except Exception:", "    # jobs: ignore[JOB301]\n    except Exception:"),
    ],
)
def test_a_comment_switches_a_rule_off_in_its_place(run, line, comment):
    _, printed, _ = run("--ignore=JOB1", tasks__py=SWALLOWS.replace(line, comment))

    assert printed == "no findings in 1 job of 1 file.\n"


def test_a_comment_for_another_rule_switches_nothing_off(run):
    text = SWALLOWS.replace("Exception:", "Exception:  # jobs: ignore[JOB302]")

    _, printed, _ = run(tasks__py=text)

    assert [line.split()[1] for line in printed.splitlines()[:-1]] == ["JOB002", "JOB301"]
    assert (
        "tasks.py:8:1: JOB002 `# jobs: ignore[JOB302]` switches nothing off here. Remove it."
        in printed
    )


@pytest.mark.parametrize(
    "option", ["--select=JOB1,JOB302", "--ignore=JOB2, JOB301", "--ignore=JOB3"]
)
def test_options_choose_rules(run, option):
    assert run(option, tasks__py=SWALLOWS)[0] == 0


@pytest.mark.parametrize(
    "setting", ['ignore = ["JOB3"]', 'select = ["JOB1"]', 'exclude = ["tas*.py"]']
)
def test_the_settings_of_the_project_choose_rules_and_files(run, setting):
    pyproject = f"[tool.pytest-jobs.lint]\n{setting}\n"

    assert run(tasks__py=SWALLOWS, pyproject__toml=pyproject)[0] == 0


def test_a_setting_names_functions_that_are_jobs(run):
    plain = SWALLOWS.replace("@job\n", "")
    pyproject = '[tool.pytest-jobs.lint]\njobs = ["tasks.bill"]\n'

    assert run(tasks__py=plain)[0] == 2
    assert run(pyproject__toml=pyproject)[0] == 1


def test_a_baseline_accepts_what_it_has_a_reason_for_and_lets_go_what_is_mended(run, tmp_path):
    second = SWALLOWS.replace("bill", "pay")
    file = tmp_path / "known.json"
    update = ("--baseline=known.json", "--update-baseline")
    asked = update[:1]

    written = run(*update, tasks__py=SWALLOWS, more__py=second)
    entries = json.loads(file.read_text("utf-8"))["lint"]
    unexplained = run(*asked)
    file.write_text(file.read_text("utf-8").replace('"reason": ""', '"reason": "old"'), "utf-8")
    moved = run(*asked, tasks__py="\n\n" + SWALLOWS)
    other_rules = run(*asked, "--select=JOB4")
    gone = run(*asked, more__py=second.replace("pass", "raise"))
    run(*update)
    back = run(*asked, more__py=second)

    assert written[0] == 1
    assert entries == [
        {
            "path": path,
            "rule": "JOB301",
            "message": MESSAGE.replace("bill", job),
            "reason": "",
        }
        for path, job in (("more.py", "pay"), ("tasks.py", "bill"))
    ]
    assert unexplained[0] == 1
    assert (
        "known.json accepts 0 findings. It lists 2 findings without a reason: write one for each."
        in unexplained[1]
    )
    assert moved[:2] == (0, "no findings in 2 jobs of 2 files. known.json accepts 2 findings.\n")
    assert other_rules[:2] == (
        0,
        "no findings in 2 jobs of 2 files. known.json accepts 0 findings.\n",
    )
    assert gone[:2] == (
        0,
        (
            "no findings in 2 jobs of 2 files. known.json accepts 1 finding. 1 entry of it can go, by an update: "
            "not found again.\n"
        ),
    )
    assert back[0] == 1
    assert back[1].startswith("more.py:8:5: JOB301")
    assert [one["path"] for one in json.loads(file.read_text("utf-8"))["lint"]] == ["tasks.py"]


@pytest.mark.parametrize(
    ("arguments", "text", "said"),
    [
        (
            ["--baseline=known.txt"],
            "mine\n",
            "--baseline: known.txt is not a baseline of this version *",
        ),
        (
            ["--baseline=known.txt"],
            '{"version": 1, "findings": []}',
            (
                "--baseline: known.txt is not a baseline of this version *. Move it away, let "
                "`pytest --jobs-audit --jobs-lint --jobs-baseline=known.txt --jobs-update-baseline` write it "
                "anew, and copy your reasons over.\n"
            ),
        ),
        (["--update-baseline"], "", "--update-baseline writes a file: add --baseline=FILE.\n"),
    ],
)
def test_a_file_that_is_no_baseline_is_an_error(run, arguments, text, said):
    code, _, errors = run(*arguments, known__txt=text, tasks__py=SWALLOWS)

    assert code == 2
    assert fnmatch(errors, said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[tool.pytest-jobs.lint]\nmax-lines = 3\n",
            UNKNOWN,
        ),
        (
            "[tool.pytest-jobs.lint]\nmax-payload = 0\n",
            "{path}: max-payload of [tool.pytest-jobs.lint] must be a number above zero, got 0.\n",
        ),
        (
            '[tool.pytest-jobs.lint]\nignore = "JOB301"\n',
            "{path}: ignore of [tool.pytest-jobs.lint] must be a list of texts, got 'JOB301'.\n",
        ),
        (
            "[tool.pytest-jobs]\nlint = 3\n",
            "{path}: [tool.pytest-jobs.lint] must be a table, got 3.\n",
        ),
        (
            '[tool.pytest-jobs.lint]\nignore = ["E501"]\n',
            "No rule begins with 'E501'. `python -m pytest_jobs lint --rules` lists all rules.\n",
        ),
    ],
)
def test_a_mistake_in_the_settings_is_an_error(run, tmp_path, text, said):
    code, printed, errors = run(pyproject__toml=text)

    assert (code, printed) == (2, "")
    assert errors == said.format(path=tmp_path / "pyproject.toml")


def test_a_file_of_settings_that_is_not_toml_is_an_error(run):
    code, _, errors = run(pyproject__toml="[tool")

    assert code == 2
    assert "cannot be read as TOML" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "There is no file or folder nowhere.\n"),
        (
            ["--select=E5"],
            "No rule begins with 'E5'. `python -m pytest_jobs lint --rules` lists all rules.\n",
        ),
    ],
)
def test_a_mistake_on_the_command_line_is_an_error(run, arguments, said):
    assert run(*arguments) == (2, "", said)


def test_the_rules_are_listed(run):
    code, printed, _ = run("--rules")

    assert code == 0
    assert printed.splitlines()[0] == "JOB101  A task keeps something on itself."


@pytest.mark.slow
def test_files_of_tests_are_read_and_not_judged(run):
    files = {"test_tasks__py": SWALLOWS, "conftest__py": SWALLOWS.replace("bill", "pay")}

    assert run(**files)[0] == 0


def test_a_single_file_can_be_linted(run):
    assert run("tasks.py", tasks__py=SWALLOWS, more__py=SWALLOWS)[1].count("JOB301 `") == 1
