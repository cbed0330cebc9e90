"""Files of recurring tasks: Solid Queue's, Sidekiq's, crontabs, and what is wrong with them."""

import builtins
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from recurring_jobs import DeleteUnusedTags, WeeklyReport, for_tenant, sync_data
from tables import each_row

from pytest_jobs import RecurringCommand, Schedule, load_schedule
from pytest_jobs.errors import DeclarationError, ScheduleError

TASK = "sync:\n  class: recurring_jobs.sync_data\n  schedule: every day\n"


def refused(path, **options):
    with pytest.raises(ScheduleError) as caught:
        load_schedule(path, **options)
    return str(caught.value)


def reason(**told):
    """Return what is wrong with a task, beyond the words that stand before it."""
    told = {"class": "recurring_jobs.sync_data", "schedule": "every day"} | told
    told = {word: value for word, value in told.items() if value is not None}
    with pytest.raises(ScheduleError) as caught:
        Schedule({"it": told})
    message = str(caught.value)
    assert message.startswith("the schedule: task 'it': ")
    return message.removeprefix("the schedule: task 'it': ")


# What can be read


def test_a_file_of_solid_queue_with_environments(write):
    path = write(
        "recurring.yml",
        """\
default: &default
  tags:
    class: recurring_jobs.DeleteUnusedTags
    schedule: every day at 04:02
    description: Tidy up
production:
  <<: *default
  report:
    class: recurring_jobs.WeeklyReport
    args: [ summary, { copies: 2 } ]
    queue: low
    priority: 5
    schedule: every monday at 9am
test:
""",
    )
    schedule = load_schedule(path, environment="production")
    tags, report = schedule.tasks["tags"], schedule.tasks["report"]

    assert repr(schedule) == "<Schedule tags, report>"
    assert (tags.job, tags.args, tags.kwargs) == (DeleteUnusedTags, (), {})
    assert (tags.description, tags.schedule) == ("Tidy up", "every day at 04:02")
    assert (report.job, report.args, report.kwargs) == (WeeklyReport, ("summary",), {"copies": 2})
    assert (report.queue, report.priority, report.cron) == ("low", 5, "0 9 * * 1")
    assert repr(load_schedule(path, environment="test")) == "<Schedule without tasks>"
    assert list(load_schedule(path, environment="default").tasks) == ["tags"]


def test_a_file_of_sidekiqs_schedulers(write):
    path = write(
        "sidekiq_schedule.yml",
        """\
daily_report:
  cron: "0 2 * * *"  # 2 AM daily
  class: recurring_jobs.WeeklyReport
  args: daily
  queue: low

hourly_sync:
  every: "1h"
  class: recurring_jobs.sync_data
  queue: default
""",
    )
    schedule = load_schedule(path)

    assert [(t.key, t.job, t.args, t.queue, t.cron) for t in schedule.tasks.values()] == [
        ("daily_report", WeeklyReport, ("daily",), "low", "0 2 * * *"),
        ("hourly_sync", sync_data, (), "default", "0 * * * *"),
    ]


def test_a_crontab(write):
    path = write(
        "crontab",
        """\
# Jobs of the shop
MAILTO=ops@shop.example

30 4 * * * recurring_jobs.DeleteUnusedTags
0 9 * * mon recurring_jobs.WeeklyReport("summary", copies=2)
CRON_TZ="Europe/Paris"
@daily recurring_jobs.deliver_bundles(limit=5)
0 18 * * * recurring_jobs.deliver_bundles
""",
    )
    schedule = load_schedule(path)

    assert [(t.key, t.job, t.args, t.kwargs) for t in schedule.tasks.values()] == [
        ("recurring_jobs.DeleteUnusedTags", DeleteUnusedTags, (), {}),
        ("recurring_jobs.WeeklyReport", WeeklyReport, ("summary",), {"copies": 2}),
        (
            "recurring_jobs.deliver_bundles",
            RecurringCommand,
            ("recurring_jobs.deliver_bundles(limit=5)",),
            {},
        ),
        (
            "recurring_jobs.deliver_bundles (line 8)",
            RecurringCommand,
            ("recurring_jobs.deliver_bundles",),
            {},
        ),
    ]
    assert [(t.cron, t.timezone) for t in schedule.tasks.values()] == [
        ("30 4 * * *", "UTC"),
        ("0 9 * * mon", "UTC"),
        ("0 0 * * *", "Europe/Paris"),
        ("0 18 * * *", "Europe/Paris"),
    ]


def test_a_schedule_written_in_python():
    schedule = Schedule({"sync": {"class": sync_data, "every": "10m"}}, timezone="Asia/Tokyo")

    assert schedule.tasks["sync"].job is sync_data
    assert schedule.tasks["sync"].command is None
    assert schedule.tasks["sync"].timezone == "Asia/Tokyo"


def test_the_timezone_of_the_file_is_where_a_task_names_none(write):
    path = write("recurring.yml", TASK + "    # UTC is in the text\n")

    assert load_schedule(path, timezone="Asia/Tokyo").tasks["sync"].timezone == "Asia/Tokyo"
    own = {"class": sync_data, "schedule": "every day", "timezone": "Asia/Tokyo"}
    text = {**own, "schedule": "every day America/New_York"}
    tasks = Schedule({"own": own, "text": text}).tasks
    assert [task.timezone for task in tasks.values()] == ["Asia/Tokyo", "America/New_York"]


@pytest.mark.parametrize(
    ("zone", "name"),
    [(ZoneInfo("UTC"), "UTC"), (ZoneInfo("Asia/Tokyo"), "Asia/Tokyo"), (None, "UTC")],
    ids=str,
)
def test_the_timezone_may_be_a_zone_info_or_none_for_utc(write, zone, name):
    told = {"class": sync_data, "schedule": "every day"}
    schedules = (
        Schedule({"sync": told}, timezone=zone),
        Schedule({"sync": {**told, "timezone": zone}}),
        load_schedule(write("recurring.yml", TASK), timezone=zone),
    )

    assert [schedule.tasks["sync"].timezone for schedule in schedules] == [name] * 3


def test_environments_are_those_below_which_tasks_stand_and_production_is_the_default(write):
    tasks = TASK.replace("\n", "\n  ").join(["  ", ""])
    alone = write("alone.yml", TASK)
    one = write("one.yml", f"staging:\n{tasks}")
    several = write("several.yml", f"development:\ntest:\nproduction:\n{tasks}")

    loaded = [load_schedule(alone, environment="test"), *map(load_schedule, (one, several))]
    assert [list(schedule.tasks) for schedule in loaded] == [["sync"]] * 3
    assert not load_schedule(several, environment="test").tasks


def test_an_empty_file_has_no_tasks(write):
    assert load_schedule(write("recurring.yml", "")).tasks == {}
    assert load_schedule(write("recurring.yml", "{}")).tasks == {}
    assert load_schedule(write("crontab", "")).tasks == {}


def test_a_task_that_is_not_enabled_is_left_out_and_named():
    told = {"class": sync_data, "schedule": "every day", "enabled": False}
    schedule = Schedule({"off": told, "on": {**told, "enabled": True}})

    assert list(schedule.tasks) == ["on"]
    assert schedule.disabled == ("off",)


def test_a_key_of_an_anchor_may_be_overridden(write):
    anchored = TASK.replace("sync:", "sync: &a")
    text = f"{anchored}b:\n  <<: *a\n  schedule: every hour\n"

    assert load_schedule(write("recurring.yml", text)).tasks["b"].cron == "0 * * * *"


# What is wrong with files


@pytest.mark.parametrize(
    ("more", "key", "lines"),
    [(TASK, "sync", "1 and 4"), ("  schedule: every hour\n", "schedule", "3 and 4")],
)
def test_a_key_or_a_word_that_is_there_twice(write, more, key, lines):
    assert refused(write("recurring.yml", TASK + more)) == (
        f"recurring.yml has the key {key!r} twice, in lines {lines}: rename one, since only the last would count."
    )


def test_an_environment_that_is_not_there_or_not_named(write):
    path = write("recurring.yml", "staging:\ntest:\n")

    assert refused(path, environment="production") == (
        "recurring.yml has no environment 'production': there are staging, test."
    )
    assert refused(path) == (
        "recurring.yml has tasks for several environments, and production is not one of them: name one of "
        "staging, test, as in environment='staging'."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "recurring.yml holds ['a']: write tasks, or environments with tasks below them."),
        ("production: [a]\n", "recurring.yml: production holds ['a']: write tasks below it."),
        (
            "sync:\n  schedule: <%= ENV['X'] %>\n",
            "recurring.yml has ERB in it (<% ... %>), which is Ruby and is not evaluated: write the values out.",
        ),
        (
            TASK + "other: 5\n",
            "recurring.yml: task 'other': it is 5: write the keys of a task below it, such as class and schedule.",
        ),
        (
            TASK + "yes:\n  class: a\n",
            "recurring.yml: task True: its key is not a text: put it in quotes.",
        ),
    ],
)
def test_yaml_of_another_shape(write, text, message):
    assert refused(write("recurring.yml", text)) == message


def test_yaml_of_a_depth_of_5_000(write):
    assert refused(write("recurring.yml", f"a: {'[' * 5_000}{']' * 5_000}")) == (
        "recurring.yml is nested too deeply: write lists and mappings that a person can read."
    )


@pytest.mark.parametrize("text", ["a: [", "a: {{ b }}", "? [a, b]\n: c", "a: 2001-99-99"])
def test_what_is_no_yaml(write, text):
    assert refused(write("recurring.yml", text)).startswith("recurring.yml is not a YAML: ")


def test_a_file_that_is_not_there(tmp_path):
    assert refused(tmp_path / "none.yml").startswith(f"{tmp_path / 'none.yml'} cannot be read: ")


def test_a_crontab_has_no_environments(write):
    assert refused(write("crontab", ""), environment="test") == (
        "crontab has crontab lines, which know no environments: leave environment='test' out."
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "0 9 * * 1",
            "'0 9 * * 1' has no command: write the time and a dotted path, as in '0 9 * * 1 shop.reports.weekly'.",
        ),
        (
            "0 9 * * 1 /usr/bin/backup --all",
            (
                "command is '/usr/bin/backup --all', which is not a command: write a dotted path to a "
                "callable, with "
                "plain values as arguments if there are any, as in 'shop.cards.postpone_due' or "
                "'shop.cards.postpone_due(limit=50)'."
            ),
        ),
        (
            "@daily recurring_jobs.nothing",
            "command is 'recurring_jobs.nothing', and recurring_jobs has no 'nothing': correct the path.",
        ),
    ],
)
def test_a_crontab_line_that_names_nothing(write, line, message):
    assert refused(write("crontab", f"# A comment\n{line}\n")) == f"crontab: line 2: {message}"


def test_a_crontab_line_at_no_time(write):
    message = refused(write("crontab", "0 25 * * * recurring_jobs.sync_data\n"))

    assert message.startswith(
        "crontab: task 'recurring_jobs.sync_data': cron '0 25 * * *' is not a schedule: bad hour. "
    )


def test_a_timezone_that_is_none(write):
    assert refused(write("recurring.yml", TASK), timezone="Europe/Pariss") == (
        "recurring.yml: timezone='Europe/Pariss': 'Europe/Pariss' names no timezone; write a name "
        "of the IANA database, such as 'UTC' or 'America/New_York'."
    )


@pytest.mark.parametrize(
    "zone", [5, b"UTC", UTC, ["UTC"], datetime.now], ids=lambda zone: type(zone).__name__
)
def test_what_is_no_timezone_is_refused(zone):
    why = (
        f"{zone!r} is not a timezone; write a name such as 'America/New_York', or "
        "ZoneInfo('America/New_York')."
    )
    with pytest.raises(ScheduleError) as caught:
        Schedule({}, timezone=zone)

    assert str(caught.value) == f"the schedule: timezone={zone!r}: {why}"
    assert reason(timezone=zone) == why


@pytest.mark.parametrize(("module", "name"), [("yaml", "PyYAML"), ("cronsim", "cronsim")])
def test_a_package_that_is_missing_is_named(write, monkeypatch, module, name):
    real = builtins.__import__

    def without(wanted, *args, **kwargs):
        if wanted == module:
            raise ImportError(wanted)
        return real(wanted, *args, **kwargs)

    path = write("recurring.yml", TASK)
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    message = refused(path)

    assert name in message
    assert 'pip install "pytest-jobs[recurring]"' in message
    assert "is not a schedule" not in message


# What is wrong with tasks


@each_row(
    ("told", "message"),
    [
        (
            {"class": None},
            (
                "it has neither a class nor a command: write `class:` with a job, or `command:` with a dotted "
                "path to a callable."
            ),
        ),
        (
            {"command": "recurring_jobs.deliver_bundles"},
            (
                "it has both a class and a command: write `class:` with a job, or `command:` with a dotted path "
                "to a callable."
            ),
        ),
        (
            {"quene": "low"},
            (
                "it has a key 'quene', which means nothing here: did you mean 'queue'? There are class, command, "
                "args, queue, priority, schedule, description, cron, every, timezone, enabled."
            ),
        ),
        (
            {"xyz": 1},
            (
                "it has a key 'xyz', which means nothing here: there are class, command, args, queue, priority, "
                "schedule, description, cron, every, timezone, enabled."
            ),
        ),
        ({"schedule": None}, "it says nothing of when: write one of schedule, cron and every."),
        (
            {"every": "1h"},
            "it says both schedule and every: write one of schedule, cron and every.",
        ),
        (
            {"schedule": 990},
            "schedule is 990, which is not a text: put it in quotes, as in '0 9 * * 1'.",
        ),
        ({"enabled": "no"}, "enabled is 'no': write true or false."),
        ({"queue": ""}, "queue must be the name of a queue such as 'mailers', got ''."),
        ({"priority": "5"}, "priority must be an int, lower first, got '5'."),
        (
            {"class": "SyncData"},
            "class is 'SyncData', without its module: write a dotted path, as in 'shop.reports.SyncData'.",
        ),
        (
            {"class": "no_such_module.SyncData"},
            (
                "class is 'no_such_module.SyncData', and there is no module 'no_such_module': correct the path, "
                "or run where it can be imported."
            ),
        ),
        (
            {"class": "recurring_jobs.SyncData"},
            "class is 'recurring_jobs.SyncData', and recurring_jobs has no 'SyncData': correct the path.",
        ),
        (
            {"class": "recurring_jobs.Card"},
            (
                "class is recurring_jobs.Card, which is not a job: derive it from Job or decorate it with "
                "@job; what "
                "is only to be called is a `command:`."
            ),
        ),
        (
            {"class": 5},
            (
                "class is 5, which is not a job: derive it from Job or decorate it with @job; what is only to be "
                "called is a `command:`."
            ),
        ),
        (
            {"class": "recurring_jobs.ReportBase"},
            (
                "ReportBase has no `perform`, so there is nothing to run: write one, or enqueue a class derived "
                "from it."
            ),
        ),
        (
            {"args": [1, 2]},
            (
                "sync_data.perform() takes from 0 to 1 positional arguments but 2 were given. The job takes "
                "sync_data(since: 'str' = 'yesterday') -> 'None'."
            ),
        ),
        (
            {"args": {"xyzzy": "today"}},
            (
                "sync_data.perform() got an unexpected keyword argument 'xyzzy'. The job takes "
                "sync_data(since: 'str' = 'yesterday') -> 'None'."
            ),
        ),
        (
            {"args": {1: "today"}},
            "args ends with {1: 'today'}, whose keys are not names of parameters.",
        ),
        (
            {"args": [object]},
            (
                "args[0] is of type type, which a payload cannot carry: pass its id or plain data, or declare its "
                "class with `@reference` or `@argument_type`."
            ),
        ),
    ],
)
def test_a_task_that_cannot_be_meant(told, message):
    assert reason(**told) == message


def test_an_argument_that_is_a_mapping_has_another_behind_it():
    told = {"class": sync_data, "args": [{"day": 1}, {}], "schedule": "every day"}

    assert Schedule({"it": told}).tasks["it"].args == ({"day": 1},)


def test_a_module_that_raises_when_it_is_imported(tmp_path, monkeypatch):
    (tmp_path / "raising_jobs.py").write_text("import json_that_is_not_there\n", "utf-8")
    (tmp_path / "failing_jobs.py").write_text("1 / 0\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    assert reason(**{"class": "raising_jobs.A"}) == (
        "class is 'raising_jobs.A', and raising_jobs cannot be imported: ModuleNotFoundError: No module named "
        "'json_that_is_not_there'. Mend that first."
    )
    assert reason(**{"class": "failing_jobs.A"}) == (
        "class is 'failing_jobs.A', and failing_jobs cannot be imported: ZeroDivisionError: division by zero. "
        "Mend that first."
    )


def test_a_queue_that_a_callable_returns_is_asked_for_its_arguments(jobs, assert_enqueued):
    told = {"class": for_tenant, "args": "acme", "schedule": "every day"}
    Schedule({"it": told}).tasks["it"].enqueue()

    assert_enqueued(for_tenant, queue="tenant-acme")


def test_an_error_of_a_task_has_its_cause():
    with pytest.raises(ScheduleError) as caught:
        Schedule({"it": {"class": sync_data, "schedule": "every day", "queue": ""}})

    assert isinstance(caught.value.__cause__, ScheduleError)
    assert isinstance(caught.value.__cause__.__cause__, DeclarationError)
