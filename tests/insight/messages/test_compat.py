"""`python -m pytest_jobs compat` says which messages in flight the new code breaks."""

from __future__ import annotations

import json
import subprocess

import pytest
from tables import each_row

from pytest_jobs.__main__ import main


@pytest.fixture
def compat(capsys):
    """Return a function that runs the command and returns its exit code, its output and its errors."""

    def compat(*arguments):
        code = main(["compat", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return compat


def _write(path, jobs, served=None):
    """Write a file of jobs: the parameters by name, or these with a queue."""
    pairs = {name: (one, "default") if isinstance(one, str) else one for name, one in jobs.items()}
    listed = {
        name: {"takes": takes, "queue": queue, "module": "shop"}
        for name, (takes, queue) in pairs.items()
    }
    text = json.dumps({"layout": 1, "served": served, "jobs": {"celery": listed}})
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def found(compat, tmp_path, monkeypatch):
    """Return a function that compares jobs, and returns the lines of what is broken."""
    monkeypatch.chdir(tmp_path)

    def found(old, new, served=None):
        jobs = "1 job" if len(old) == 1 else f"{len(old)} jobs"
        _write(tmp_path / "old.json", old)
        _write(tmp_path / "new.json", new, served)
        code, printed, errors = compat("old.json", "new.json")
        *lines, last = printed.splitlines()
        assert (code, errors) == (1 if lines else 0, "")
        if lines:
            many = "1 change breaks" if len(lines) == 1 else f"{len(lines)} changes break"
            assert last == f"{many} messages in flight, of {jobs} in old.json."
        else:
            assert last == f"The new code takes every message of the {jobs} in old.json."
        return lines

    return found


@each_row(
    "old, new, why",
    [
        ("(a)", "(a, b)", ["needs 'b', which a message may lack: give it a default."]),
        ("(a=1)", "(a)", ["needs 'a', which a message may lack: give it a default."]),
        ("(a)", "(a, *, b)", ["needs 'b', which a message may lack: give it a default."]),
        (
            "(*args, **kwargs)",
            "(a)",
            [
                "needs 'a', which a message may lack: give it a default.",
                "takes no further arguments by place any more, which a message may have.",
                "takes no further arguments by name any more, which a message may have.",
            ],
        ),
        (
            "(a, b)",
            "(a)",
            ["does not take 'b' by place or by name any more: ignore it until no message has it."],
        ),
        (
            "(a, b)",
            "(a, **kwargs)",
            ["does not take 'b' by place any more: ignore it until no message has it."],
        ),
        (
            "(a, b)",
            "(a, *args)",
            ["does not take 'b' by name any more: ignore it until no message has it."],
        ),
        (
            "(*, a, b)",
            "(*, a)",
            ["does not take 'b' by name any more: ignore it until no message has it."],
        ),
        (
            "(webhook, event)",
            "(webhook_id, event)",
            ["calls 'webhook' 'webhook_id' now: a message that has it by name is refused."],
        ),
        (
            "(days=1)",
            "(within_hours)",
            [
                "needs 'within_hours', which a message may lack: give it a default.",
                "calls 'days' 'within_hours' now: a message that has it by name is refused.",
            ],
        ),
        (
            "(a, b)",
            "(b, a)",
            [
                "takes 'a' at place 2, and a message has it at place 1: add new parameters at the end."
            ],
        ),
        (
            "(a, c=1)",
            "(a, b=1, c=1)",
            [
                "takes 'c' at place 3, and a message has it at place 2: add new parameters at the end."
            ],
        ),
        (
            "(a, c=1)",
            "(a, b, c=1)",
            [
                "needs 'b', which a message may lack: give it a default.",
                "takes 'c' at place 3, and a message has it at place 2: add new parameters at the end.",
            ],
        ),
        (
            "(a, b)",
            "(b, a, c)",
            [
                "needs 'c', which a message may lack: give it a default.",
                "takes 'a' at place 2, and a message has it at place 1: add new parameters at the end.",
            ],
        ),
        (
            "(a, b=1)",
            "(a, *, b=1)",
            ["takes 'b' by name alone now, and a message may have it by place."],
        ),
        (
            "(a, b)",
            "(b, *args, **kwargs)",
            [
                "takes 'b' at place 1, and a message has it at place 2: add new parameters at the end."
            ],
        ),
        (
            "(a)",
            "(b, **kwargs)",
            ["calls 'a' 'b' now: a message that has it by name is refused."],
        ),
        ("(a)", "(a, /)", ["takes 'a' by place alone now, and a message may have it by name."]),
    ],
)
def test_a_message_that_the_new_parameters_refuse_or_take_otherwise_is_named(found, old, new, why):
    assert found({"shop.send": old}, {"shop.send": new}) == [
        f"shop.send (celery) {each}" for each in why
    ]


@each_row(
    "old, new",
    [
        ("()", "()"),
        ("(a)", "(a, b=1)"),
        ("(a)", "(a=None, *, b=1)"),
        ("(a)", "(*args, **kwargs)"),
        ("(a, /)", "(b, /)"),
        ("(a, /)", "(b)"),
        ("(*, a, b)", "(*, b, a)"),
        ("(*, a)", "(a, b=2)"),
        ("(a, b=1, *more, c=2, **rest)", "(a, b=..., *others, c=3, d=4, **kwargs)"),
    ],
)
def test_parameters_that_take_every_message_are_fine(found, old, new):
    assert found({"shop.send": old}, {"shop.send": new}) == []


def test_a_job_that_is_gone_is_named_with_the_one_that_it_may_be_now(found):
    old = {"shop.send_mail": "(a)", "shop.pay": "(order_id, amount)", "shop.drop": "()"}
    keep = "Keep it under this name until its messages are done."

    assert found(
        old, {"shop.mails.send_mail": "(a)", "shop.charge": "(order_id, amount)", "shop.a": "()"}
    ) == [
        f"shop.drop (celery) is not registered any more. {keep}",
        f"shop.pay (celery) is not registered any more; is it shop.charge now? {keep}",
        f"shop.send_mail (celery) is not registered any more; is it shop.mails.send_mail now? {keep}",
    ]


def test_a_queue_that_no_worker_serves_is_named_once(found):
    jobs = {"shop.a": ("()", "mail"), "shop.b": ("()", "mail"), "shop.c": ("()", "low")}

    (line,) = found(jobs, jobs, ["low"])
    assert line == (
        "shop.a and 1 more (celery): messages wait in the queue 'mail', which no worker serves: serve it until it "
        "is empty."
    )
    assert found(jobs, jobs, ["low", "ma*"]) == []


def test_a_queue_into_which_no_job_goes_any_more_is_named_where_nobody_says_what_is_served(found):
    old = {"shop.a": ("()", "mail"), "shop.b": ("()", "low"), "shop.c": ("()", None)}

    (line,) = found(old, {**old, "shop.a": ("()", "low")})
    assert line == (
        "shop.a (celery): messages wait in the queue 'mail', into which no job goes any more: serve it until it "
        "is empty, or name the file of the workers by jobs_queues."
    )
    assert found(old, {**old, "shop.a": ("()", "low"), "shop.c": ("()", "mail")}) == []
    assert found(old, {**old, "shop.a": ("()", None)}) == []


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Return a function that runs git in a new repository, in which the command is run."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")

    def git(*arguments):
        who = ("-c", "user.name=shop", "-c", "user.email=shop@example.org")
        subprocess.run(["git", *who, *arguments], check=True, cwd=tmp_path, capture_output=True)

    git("init")
    return git


def test_the_old_file_is_taken_from_git(compat, repository, tmp_path):
    for folder in (tmp_path, tmp_path / "deep"):
        folder.mkdir(exist_ok=True)
        _write(folder / "messages.json", {"shop.send": "(a)"})
    repository("add", ".")
    repository("commit", "-m", "one")
    repository("tag", "v1.4")

    assert compat("--since", "v1.4") == (
        0,
        "The new code takes every message of the 1 job in messages.json at v1.4.\n",
        "",
    )

    _write(tmp_path / "deep" / "messages.json", {"shop.send": "(a, b)"})

    assert compat("--since=v1.4")[0] == 0
    code, printed, _ = compat("--since=v1.4", "deep/messages.json")
    assert (code, printed.splitlines()) == (
        1,
        [
            "shop.send (celery) needs 'b', which a message may lack: give it a default.",
            "1 change breaks messages in flight, of 1 job in deep/messages.json at v1.4.",
        ],
    )


def test_a_reference_that_git_does_not_know_is_refused(compat, repository, tmp_path):
    _write(tmp_path / "messages.json", {"shop.send": "(a)"})

    for reference in ("v9", "--output=here"):
        code, printed, errors = compat(f"--since={reference}")

        assert (code, printed) == (2, "")
        assert errors.startswith(f"messages.json at {reference} cannot be read: fatal: ")
        assert errors.endswith(
            "Write it with `pytest --jobs-messages=messages.json`, and commit it.\n"
        )
    assert sorted(each.name for each in tmp_path.iterdir()) == [".git", "messages.json"]


@each_row(
    "text, why",
    [
        (None, "cannot be read: No such file or directory."),
        ("{}", "cannot be read: `pytest --jobs-messages` did not write it."),
        ("[1]", "cannot be read: `pytest --jobs-messages` did not write it."),
        (
            '{"layout": 2, "served": null, "jobs": {}}',
            "cannot be read: its layout is 2, and not 1.",
        ),
        (
            '{"layout": 1, "served": null, "jobs": {"rq": {"a": {"takes": "(1)", "queue": null, "module": "a"}}}}',
            "cannot be read: '(1)' are no parameters.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(compat, tmp_path, text, why):
    new, old = _write(tmp_path / "new.json", {"shop.send": "(a)"}), tmp_path / "old.json"
    if text is None:
        old.unlink(missing_ok=True)
    else:
        old.write_text(text)

    assert compat(old, new) == (
        2,
        "",
        f"{old} {why} Write it with `pytest --jobs-messages=old.json`, and commit it.\n",
    )


def test_a_file_without_jobs_calls_nothing_safe(compat, tmp_path):
    old, new = _write(tmp_path / "old.json", {}), _write(tmp_path / "new.json", {"shop.a": "()"})

    assert compat(old, new) == (
        2,
        "",
        f"{old} has no jobs, so it cannot say which messages there are.\n",
    )


def test_one_file_or_none_is_refused(compat):
    for arguments in ((), ("old.json",), ("a", "b", "c"), ("--since=v1", "a", "b")):
        code, printed, errors = compat(*arguments)

        assert (code, printed) == (2, "")
        assert errors == (
            "Two files of `pytest --jobs-messages` are compared: write `compat OLD NEW`, or `compat --since REF` "
            "for the old file in git.\n"
        )
