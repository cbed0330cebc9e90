"""Nothing here runs the workflows of continuous integration, so what they name is compared with what there is."""

import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TOX = (ROOT / "tox.ini").read_text("utf-8")


def environments():
    """Return the environments that tox has, with those of a name such as `celery{53,54}`."""
    listed = re.search(r"(?ms)^env_list =\n(.*?)\n\S", TOX)[1]
    return {name.strip() for name in listed.replace("\n", ",").split(",")}


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request):
    # `on` is a truth value in YAML 1.1, and a word in that of the workflows.
    return yaml.load(request.param.read_text("utf-8"), yaml.BaseLoader)


def test_a_workflow_asks_for_no_more_than_it_needs(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    assert {"push", "pull_request", "schedule"} >= workflow["on"].keys() > {"push"}
    assert [name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job] == []
    uses = [
        step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step
    ]
    assert [used for used in uses if not re.fullmatch(r"actions/[\w-]+@v\d+", used)] == []


def test_a_workflow_runs_what_there_is(workflow):
    named, scripts = set(), set()
    for job in workflow["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        named |= {*matrix.get("env", ())}
        text = "\n".join(step.get("run", "") for step in job["steps"])
        scripts |= {*re.findall(r"tests/[\w/]+\.py", text)}
        assert {*re.findall(r"matrix\.(\w+)", str(job))} == matrix.keys()

    assert named - environments() == set()
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_each_environment_of_tox_runs_in_a_workflow_or_is_left_out_for_a_reason():
    text = "\n".join(path.read_text("utf-8") for path in WORKFLOWS)
    left_out = {
        "coverage": "takes the figures of `make test` on the same machine",
        "newest": "is what prereleases.py tries, with all other libraries",
        "report": "needs a browser of the system",
        **dict.fromkeys(
            ("py311", "py312", "py313", "py314"), "are `py` with the Python of the matrix"
        ),
    }

    assert environments() - {*re.findall(r"(?m)^ +- (\w+)$", text)} == left_out.keys()


def test_the_host_of_the_documentation_builds_what_there_is():
    host = yaml.safe_load((ROOT / "docs" / ".readthedocs.yaml").read_text("utf-8"))

    assert (ROOT / host["sphinx"]["configuration"]).is_file()
    assert host["sphinx"]["fail_on_warning"] is True
