"""Every phrase of the reference's table, more that a reader would expect to work, and the others' errors."""

import pytest
from hypothesis import given, strategies as st
from recurring_jobs import sync_data
from tables import each_row

from pytest_jobs import Schedule
from pytest_jobs.errors import ScheduleError


def task_of(text, word="schedule"):
    return Schedule({"it": {"class": sync_data, word: text}}).tasks["it"]


ADVICE = (
    "Write minute, hour, day, month and weekday, as in '0 9 * * 1', or a phrase such as "
    "'every monday at 9am'."
)


def reason(text):
    with pytest.raises(ScheduleError) as caught:
        task_of(text)
    begin, _, why = str(caught.value).partition(" is not a schedule: ")
    assert begin == f"the schedule: task 'it': schedule {text!r}"
    assert why.endswith(f". {ADVICE}")
    return why.removesuffix(f". {ADVICE}")


@each_row(
    ("phrase", "cron"),
    [
        ("every 30 minutes", "*/30 * * * *"),
        ("every hour at minute 50", "50 * * * *"),
        ("every hour at minute 15", "15 * * * *"),
        ("every day at 04:02", "2 4 * * *"),
        ("every day at 2:30am", "30 2 * * *"),
        ("every monday at 9am", "0 9 * * 1"),
        ("Every MONDAY at 9AM", "0 9 * * 1"),
        ("every 1st day of month at 3am", "0 3 1 * *"),
        ("every 1st day of the month at 3am", "0 3 1 * *"),
        ("every first day of the month at 3am", "0 3 1 * *"),
        ("every 1st of the month at 3am", "0 3 1 * *"),
        ("every month on the 1st at 3am", "0 3 1 * *"),
        ("every month at 3am", "0 3 1 * *"),
        ("every month on day 2 at 10:00", "0 10 2 * *"),
        ("every second", "* * * * * *"),
        ("every minute", "* * * * *"),
        ("every hour", "0 * * * *"),
        ("every day", "0 0 * * *"),
        ("every week", "0 0 * * 0"),
        ("every month", "0 0 1 * *"),
        ("every year", "0 0 1 1 *"),
        ("every 10 seconds", "*/10 * * * * *"),
        ("*/10 * * * * *", "*/10 * * * * *"),
        ("every weekday at 9am", "0 9 * * 1-5"),
        ("every mon-fri at 9am", "0 9 * * 1-5"),
        ("every monday and thursday at 9am", "0 9 * * 1,4"),
        ("every day at noon", "0 12 * * *"),
        ("every day at midnight", "0 0 * * *"),
        ("every day at 12pm", "0 12 * * *"),
        ("every day at 12am", "0 0 * * *"),
        ("every day at 9", "0 9 * * *"),
        ("every day at nine", "0 9 * * *"),
        ("every day from 9am to 5pm", "0 9-17 * * *"),
        ("at 16:30", "30 16 * * *"),
        ("every day at 00:40 and 15:40", "40 0,15 * * *"),
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("0 0 L * *", "0 0 L * *"),
        ("0 9 * * mon#1", "0 9 * * mon#1"),
    ],
)
def test_a_phrase_is_what_it_is_to_solid_queue(phrase, cron):
    assert task_of(phrase).cron == cron


@each_row(
    ("phrase", "cron"),
    [
        # Fugit takes these for something else than they say.
        ("every 45 minutes", "every 45m"),
        ("every 90 minutes", "every 1h 30m"),
        ("every 17 hours", "every 17h"),
        ("every 2 days", "0 0 * * * (every 2 days)"),
        # And it rejects these.
        ("every 100 minutes", "every 1h 40m"),
        ("every day at 00:40 and 15:20", "40 0 * * *; 20 15 * * *"),
        ("every other day", "0 0 * * * (every 2 days)"),
        ("every other day at 9am", "0 9 * * * (every 2 days)"),
        ("every 3 weeks", "0 0 * * 0 (every 3 weeks)"),
        ("every fortnight", "0 0 * * 0 (every 2 weeks)"),
        ("every quarter", "0 0 1 */3 *"),
        ("once a year", "0 0 1 1 *"),
    ],
)
def test_a_phrase_that_fugit_bends_or_rejects_means_what_it_says(phrase, cron):
    assert task_of(phrase).cron == cron


@each_row(
    ("phrase", "cron"),
    [
        ("every other monday at 9am", "0 9 * * 1 (every 2 weeks)"),
        ("every monday to friday at 9am", "0 9 * * 1-5"),
        ("every fri-sun at 9am", "0 9 * * 5-7"),
        ("every monday, wednesday and friday at 10:15", "15 10 * * 1,3,5"),
        ("every weekend at 9 am", "0 9 * * 0,6"),
        ("every week on monday at 9am", "0 9 * * 1"),
        ("every 2 weeks on monday at 9am", "0 9 * * 1 (every 2 weeks)"),
        ("every 30 minutes on weekdays", "*/30 * * * 1-5"),
        ("every day at 9am on weekdays", "0 9 * * 1-5"),
        ("every second day of the month at 3am", "0 3 2 * *"),
        ("every second monday of the month at 9am", "0 9 * * 1#2"),
        ("every last friday of the month at 5pm", "0 17 * * 5L"),
        ("every last day of the month at 3am", "0 3 L * *"),
        ("every 1st and 15th of the month at 6am", "0 6 1,15 * *"),
        ("every month on the last day at 6am", "0 6 L * *"),
        ("every month on the 1st and the last at 6am", "0 6 1,L * *"),
        ("every month on the first monday at 6am", "0 6 * * 1#1"),
        ("every month on the 2nd of the month at 6am", "0 6 2 * *"),
        ("every month on days 1 and 15", "0 0 1,15 * *"),
        ("every 2 months", "0 0 1 */2 *"),
        ("every 12 months", "0 0 1 1 *"),
        ("every hour from 9am to 5pm", "0 9-17 * * *"),
        ("every hour from 9:30 to 17:30", "30 9-17 * * *"),
        ("every day from 9:30 to 17:30", "30 9-17 * * *"),
        ("every hour between 9am and 5pm on weekdays", "0 9-17 * * 1-5"),
        ("every 2 hours from 9am to 5pm", "0 9-17/2 * * *"),
        ("every 3 hours from 9:15 to 18:15", "15 9-18/3 * * *"),
        ("every 2 hours at minute 5 from 9am to 5pm", "5 9-17/2 * * *"),
        ("every minute from 9am to 5pm", "* 9-16 * * *; 0 17 * * *"),
        ("every 30 minutes from 9am to 5pm", "*/30 9-16 * * *; 0 17 * * *"),
        ("every 20 minutes from 8:00 to 18:00 on weekdays", "*/20 8-17 * * 1-5; 0 18 * * 1-5"),
        ("every 30 minutes between midnight and 1am", "*/30 0 * * *; 0 1 * * *"),
        ("every hour at minute 15 and 45", "15,45 * * * *"),
        ("every 2 hours at minute 5", "5 */2 * * *"),
        ("every day at 9:15 and at 9:45", "15,45 9 * * *"),
        ("every 60 minutes", "0 * * * *"),
        ("every 24 hours", "0 0 * * *"),
        ("every 7 days", "0 0 * * 0"),
        ("every 1h 30m", "every 1h 30m"),
        ("every 90s", "every 1m 30s"),
        ("every five minutes", "*/5 * * * *"),
    ],
)
def test_what_else_can_be_said(phrase, cron):
    assert task_of(phrase).cron == cron


@each_row(
    ("text", "zone"),
    [
        ("every day at 9am America/New_York", "America/New_York"),
        ("every day at 9am in Europe/Paris", "Europe/Paris"),
        ("0 9 * * * America/New_York", "America/New_York"),
        ("every day at 9am UTC", "UTC"),
        ("every day at 9am Z", "UTC"),
        ("every day at 9am", "UTC"),
    ],
)
def test_a_timezone_may_follow(text, zone):
    assert (task_of(text).cron, task_of(text).timezone) == ("0 9 * * *", zone)


@pytest.mark.parametrize(
    ("text", "cron"),
    [
        ("1h", "0 * * * *"),
        ("2h30m", "every 2h 30m"),
        ("1d", "0 0 * * *"),
        ("10 minutes", "*/10 * * * *"),
        ("every 10 minutes", "*/10 * * * *"),
    ],
)
def test_every_of_sidekiqs_schedulers_takes_a_length_of_time(text, cron):
    assert task_of(text, "every").cron == cron


@each_row(
    ("text", "why"),
    [
        ("evry day at 9am", "'evry day at 9am' is not understood"),
        ("daily", "'daily' is not understood"),
        ("", "it is empty"),
        ("every", "'every' is not understood"),
        ("every 5 fortnights", "'every 5 fortnights' is not understood"),
        ("every 0 minutes", "'every 0 minutes' is not understood"),
        ("every 99999999999999 hours", "'every 99999999999999 hours' is not understood"),
        ("every 5 months", "5 months do not divide a year, so no calendar has that rhythm"),
        ("every 2 years", "2 years do not divide a year, so no calendar has that rhythm"),
        ("every day at 25:00", "bad hour"),
        ("every day at 9:75", "bad minute"),
        ("every day at 13pm", "'at 13pm' is not understood"),
        ("every day at dawn", "'at dawn' is not understood"),
        ("every day at 9am at 5pm", "'at 5pm' cannot follow 'every day at 9am'"),
        (
            "every day at 9am from 10am to noon",
            "'from 10am to 12:00' cannot follow 'every day at 9am'",
        ),
        ("every monday on tuesday", "'on tue' cannot follow 'every mon'"),
        ("every hour at 9am", "'at 9am' cannot follow 'every hour'"),
        ("every day at minute 5", "'at minute 5' cannot follow 'every day'"),
        ("every hour at minute 60", "bad minute"),
        ("every 5 hours from 9am to 5pm", "'from 9am to 5pm' cannot follow 'every 5 hours'"),
        ("every day from 9am", "'from 9am' is not understood"),
        *(
            (text, "`from ... to` goes from one full hour to a later one of the same day")
            for text in (
                "every 30 minutes from 9:15 to 5:15pm",
                "every 30 minutes from 9am to 9am",
                "every hour at minute 5 from 9:15 to 17:15",
                "every day from 9am to 5:30pm",
                "every hour from 10pm to 6am",
            )
        ),
        ("at 3am every day", "'every day' cannot follow 'at 3am'"),
        ("every second monday at 9am", "'every 2th mon at 9am' is not understood"),
        ("every 1st of the year", "'every 1st of the year' is not understood"),
        ("every month on the 1st of january", "'of january' is not understood"),
        ("every month on the 32nd", "bad day-of-month"),
        ("every month on the 6th monday", "bad day-of-week"),
        ("every month on monday", "'on mon' cannot follow 'every month'"),
        ("every day on the 1st", "'on the 1st' cannot follow 'every day'"),
        ("every 2 days on monday", "every so many days and certain weekdays would seldom meet"),
        ("every monday and 9am", "'and 9am' is not understood"),
        ("every sat-mon at 9am", "bad day-of-week"),
        ("every day please", "'please' is not understood"),
        ("every 45 minutes at 9am", "'at 9am' cannot follow 'every 45 minutes'"),
        ("1h", "'1h' is not understood"),
        (
            "every day at 9am America/New_Yorc",
            (
                "'America/New_Yorc' names no timezone; write a name of the IANA database, such as 'UTC' or "
                "'America/New_York'"
            ),
        ),
        ("61 * * * *", "bad minute"),
        ("0 25 * * *", "bad hour"),
        ("0 9 * * monday", "bad day-of-week"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("0 0 */31 * mon#2", "there is no such day"),
        ("* * *", "it has 3 fields, and a crontab line has five or six"),
        ("0 9 * * 1 shop.jobs.report x", "it has 7 fields, and a crontab line has five or six"),
        (
            "@reboot",
            "of nicknames there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @noon, @hourly",
        ),
    ],
)
def test_a_text_that_is_not_a_schedule_is_refused_with_the_reason(text, why):
    assert reason(text) == why


WORDS = (
    "every at on the of to and from minute hour day days week month year 1st last monday weekday other second 2 5 "
    "9am 5pm 25:00 noon 0 45 quarter once a America/New_York in 1h x , - * */5 @daily"
)


@given(st.lists(st.sampled_from(WORDS.split()), max_size=7).map(" ".join) | st.text(max_size=20))
def test_whatever_is_written_is_read_or_refused_with_what_to_write(text):
    try:
        task_of(text)
    except ScheduleError:
        assert reason(text)
