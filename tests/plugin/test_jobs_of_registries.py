"""`--jobs-lint` and `--jobs-report` take jobs from the running libraries: whatever a project wraps around them."""

from __future__ import annotations

import pytest
from reached_rows import reached_rows

pytest.importorskip("jinja2")

SWALLOWS = "    try:\n        print(user)\n    except Exception:\n        pass\n"
#: How projects declare jobs with a helper of their own; each ends in the first line of a job.
WRAPPED = {
    "huey": (
        "import functools\nfrom huey import MemoryHuey\n\nhuey = MemoryHuey()\n\n\ndef task(retries=5):\n"
        "    def declare(function):\n        @functools.wraps(function)\n"
        "        def inner(*args, **kwargs):\n            return function(*args, **kwargs)\n\n"
        "        return huey.task(retries=retries)(inner)\n\n    return declare\n\n\n@task()\ndef pay(user):\n"
    ),
    "dramatiq": (
        "import dramatiq\n\n\ndef actor(**options):\n"
        "    return lambda function: dramatiq.actor(function, **options)\n\n\n"
        "@actor(max_retries=1)\ndef pay(user):\n"
    ),
    "rq": (
        "import functools\nfrom redis import Redis\nfrom rq.decorators import job as rq_job\n\n"
        "job = functools.partial(rq_job, connection=Redis())\n\n\n@job('default')\ndef pay(user):\n"
    ),
    "celery": (
        "from celery import Celery\n\n\nclass OwnCelery(Celery):\n    pass\n\n\n"
        "notify = OwnCelery('shop', broker='memory://')\n\n\n@notify.task(bind=True)\ndef pay(self, user):\n"
    ),
    "celery_shared": "from celery import shared_task\n\n\n@shared_task\ndef pay(user):\n",
    "arq": (
        "import functools\n\nimport arq\n\n\ndef wrap(function):\n    @functools.wraps(function)\n"
        "    async def inner(*args):\n        return await function(*args)\n\n    return inner\n\n\n"
        "class WorkerSettings:\n    @staticmethod\n    async def on_startup(ctx): ...\n\n\n"
        "async def pay(ctx, user):\n"
    ),
}
AFTER = {"arq": "\n\nWorkerSettings.functions = [wrap(pay)]\n"}


@pytest.mark.parametrize("way", WRAPPED)
def test_a_job_behind_a_helper_of_the_project_is_linted_and_shown(way, pytester):
    library = way.partition("_")[0]
    pytest.importorskip(library)
    # Libraries know jobs by the names of their modules, for as long as the process lives.
    name = f"wrapped_{way}"
    before = WRAPPED[way]
    pytester.makepyfile(
        **{name: before + SWALLOWS + AFTER.get(way, ""), "test_it": f"import {name}"}
    )

    result = pytester.runpytest_subprocess("--jobs-lint", "--jobs-report=jobs.html")

    line = before.count("\n") + 3
    result.stdout.fnmatch_lines(
        [
            f"{name}.py:{line}:5: JOB301 *swallows every error of pay: *",
            "* in 1 job of 2 files. *",
        ]
    )
    [(job, how, _)] = reached_rows((pytester.path / "jobs.html").read_text("utf-8"))
    assert (job.rpartition(".")[2], how) == ("pay", "in no harness")


def test_jobs_that_share_a_wrapper_are_counted_each(pytester):
    pytest.importorskip("dramatiq")
    pytester.makepyfile(
        shared_wrapper=(
            "import dramatiq\n\n\ndef actor(function):\n    def inner(*args):\n        return function(*args)\n\n"
            "    inner.__name__ = function.__name__\n    return dramatiq.actor(inner)\n\n\n"
            "@actor\ndef pay(user): ...\n\n\n@actor\ndef mail(user): ...\n"
        ),
        test_it="import shared_wrapper",
    )

    result = pytester.runpytest_subprocess("--jobs-lint", "--jobs-report=jobs.html")

    result.stdout.fnmatch_lines(["no findings in 2 jobs of 2 files."])
    rows = reached_rows((pytester.path / "jobs.html").read_text("utf-8"))
    assert {name for name, *_ in rows} == {"mail", "pay"}


@pytest.mark.wide
def test_a_wrapper_that_does_not_say_what_it_wraps_hides_no_body(pytester):
    pytest.importorskip("celery")
    before = (
        "from celery import Celery\n\napp = Celery('silent')\n\n\ndef silent(function):\n"
        "    def inner(*args):\n        return function(*args)\n\n    inner.__name__ = function.__name__\n"
        "    return inner\n\n\n@app.task\n@silent\ndef pay(user):\n"
    )
    pytester.makepyfile(silent_wrapper=before + SWALLOWS, test_it="import silent_wrapper")

    result = pytester.runpytest_subprocess("--jobs-lint")

    result.stdout.fnmatch_lines(
        [
            "silent_wrapper.py:*: JOB301 *swallows every error of pay: *",
            "1 finding in 1 job of 2 files. *",
        ]
    )


def test_a_call_belongs_to_what_the_namespace_of_its_module_says(pytester):
    pytest.importorskip("rq")
    pytester.makepyfile(
        namespaces=(
            "from redis import Redis\nfrom rq import Queue\n\n\n"
            "class Mailbox:\n    def enqueue(self, text): ...\n\n\n"
            "def make():\n    return Queue(connection=Redis())\n\n\nqueue, box = make(), Mailbox()\n\n\n"
            "def work(number): ...\n\n\ndef view(given):\n    queue.enqueue(work, 7)\n"
            "    box.enqueue('hello')\n    given.enqueue(work, 7)\n"
        ),
        test_it="import namespaces",
    )

    result = pytester.runpytest_subprocess("--jobs-lint")

    result.stdout.fnmatch_lines(
        ["no findings in 1 job of 2 files; the job of 1 call is not known."]
    )
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_signature_of_a_wrapped_job_is_that_of_its_function(pytester):
    pytest.importorskip("dramatiq")
    before = WRAPPED["dramatiq"] + "    ...\n\n\ndef view():\n    pay.send(person=7)\n"
    pytester.makepyfile(signed=before, test_it="import signed")

    result = pytester.runpytest_subprocess("--jobs-lint")

    result.stdout.fnmatch_lines([f"signed.py:{before.count(chr(10))}:5: JOB202 pay: *'user'*"])


def test_modules_that_no_test_imports_are_named(pytester):
    pytest.importorskip("dramatiq")
    declares = "import dramatiq\n\n\n@dramatiq.actor\ndef {}(user): ...\n"
    pytester.makepyfile(
        met=declares.format("meet"), unmet=declares.format("miss"), test_it="import met"
    )

    result = pytester.runpytest_subprocess("--jobs-lint")

    said = "Not imported by any test, so their jobs are not known: unmet.py."
    assert result.outlines.count(said) == 1


def test_a_library_whose_jobs_no_test_imports_fails_the_session(pytester):
    pytest.importorskip("dramatiq")
    pytester.makepyfile(unmet_wrapper=WRAPPED["dramatiq"] + SWALLOWS, test_it="def test_it(): pass")

    result = pytester.runpytest_subprocess("--jobs-lint")

    result.stdout.fnmatch_lines(
        [
            "Not imported by any test, so their jobs are not known: unmet_wrapper.py.",
            "Dramatiq is a dependency, and 0 jobs of it were found. The text has 1 decorator and 0 calls *",
            "nothing was judged with 0 jobs in 2 files.",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.slow
def test_the_workers_of_xdist_send_what_they_have_imported(pytester):
    pytest.importorskip("xdist")
    pytest.importorskip("dramatiq")
    pytester.makepyfile(
        spread=WRAPPED["dramatiq"] + SWALLOWS + "\n\ndef view():\n    pay.send(7)\n",
        test_it="import spread\n\n\ndef test_one(): ...\ndef test_two(): ...\n",
    )

    result = pytester.runpytest_subprocess("-n2", "--jobs-lint")

    result.stdout.fnmatch_lines(["1 finding in 1 job of 2 files. *"])
