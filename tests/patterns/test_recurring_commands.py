"""Commands of recurring tasks: dotted paths, read and never evaluated."""

import pytest
from tables import each_row

from pytest_jobs import RecurringCommand, Schedule
from pytest_jobs.errors import ScheduleError

HELP = (
    "write a dotted path to a callable, with plain values as arguments if there are any, as in "
    "'shop.cards.postpone_due' or 'shop.cards.postpone_due(limit=50)'."
)


def reason(command, **more):
    with pytest.raises(ScheduleError) as caught:
        Schedule({"it": {"command": command, "schedule": "every day", **more}})
    return str(caught.value).removeprefix("the schedule: task 'it': ")


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("recurring_jobs.deliver_bundles", 10),
        ("recurring_jobs.deliver_bundles()", 10),
        ("recurring_jobs.deliver_bundles(5)", 5),
        ("recurring_jobs.deliver_bundles(limit=-7)", -7),
        ("recurring_jobs.Card.auto_postpone_all_due", None),
        ("os.path.join('a', 'b')", "a/b"),
        ("builtins.max(1, 2)", 2),
    ],
)
def test_a_command_is_called(jobs, done, command, result):
    Schedule({"it": {"command": command, "schedule": "every day"}}).tasks["it"].enqueue()
    jobs.perform_due()

    assert [(d.record.job, d.result) for d in jobs.performed] == [(RecurringCommand, result)]


def test_a_task_has_its_command_which_may_enqueue(jobs, assert_performed, done):
    command = "recurring_jobs.sync_data.perform_later('today')"
    told = {"command": command, "schedule": "every day", "queue": "low"}
    task = Schedule({"it": told}).tasks["it"]
    assert (task.command, task.queue) == (command, "low")

    task.enqueue()
    jobs.drain()
    assert done == ["synced since today"]


@each_row(
    "command",
    [
        "Notification::Bundle.deliver_all_later",
        "python manage.py report",
        "shop.report(limit=LIMIT)",
        "shop.report(*[1])",
        "shop.report(**{'a': 1})",
        "shop.reports[0]()",
        "shop.report()()",
        "shop.report({[1]: 2})",
        "lambda: 1",
        "",
    ],
)
def test_what_is_no_dotted_path_is_refused(command):
    assert reason(command) == f"command is {command!r}, which is not a command: {HELP}"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "recurring_jobs.SETTING",
            "command is 'recurring_jobs.SETTING', and recurring_jobs.SETTING is 5, which cannot be called.",
        ),
        (
            "recurring_jobs.a_coroutine",
            (
                "command is 'recurring_jobs.a_coroutine', and recurring_jobs.a_coroutine is a coroutine function: "
                "make it a job with @job and write `class: recurring_jobs.a_coroutine`."
            ),
        ),
        (
            "recurring_jobs.deliver_bundles(1, 2)",
            (
                "command is 'recurring_jobs.deliver_bundles(1, 2)', and its arguments do not fit "
                "recurring_jobs.deliver_bundles(limit: 'int' = 10) -> 'int': too many positional arguments."
            ),
        ),
        (
            "deliver",
            "command is 'deliver', without its module: write a dotted path, as in 'shop.reports.deliver'.",
        ),
        (7, "command is 7, which is not a text: write a dotted path."),
    ],
)
def test_a_command_that_cannot_be_called_so(command, message):
    assert reason(command) == message


def test_arguments_stand_in_the_command():
    assert reason("recurring_jobs.deliver_bundles", args=[5]) == (
        "a command has no args: write them into it, as in 'shop.cards.postpone_due(limit=50)'."
    )
