"""What a check takes for granted: clean runs end well at once, and differ in one thing at a time."""

import hashlib
import itertools
import random
import secrets
import string
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import celery
import pytest
from tables import each_row

from pytest_jobs import check_idempotent, fake, job, sqlite_world
from pytest_jobs.errors import (
    DuplicateEffect,
    ExplorationError,
    LostEffect,
    NotIdempotent,
    PoisonJob,
)
from pytest_jobs.exploration import check
from pytest_jobs.exploration.engine.world import TimeLimit

app = celery.Celery("clean", broker="memory://")
mail = Mock(spec=["send", "tell", "post"])
users = {}
numbers = itertools.count()


def world():
    users.clear()
    users[7] = {"name": "ann", "password": None}
    yield lambda: {"users": users}


def outcome(checked, **options):
    """Return what a check of a job says: its verdict, its refusal, or what it has explored."""
    options = {"args": (7,), "world": world, **options}
    try:
        return str(check_idempotent(checked, **options))
    except (NotIdempotent, ExplorationError) as error:
        return str(error)


# How many, and which


def counted(job):
    """Return how many deliveries of a job its check makes, and what it says."""
    deliveries = itertools.count()

    def delivered(number):
        next(deliveries)
        job(number)

    said = outcome(delivered, histories=["twice"])
    return next(deliveries), said


def test_the_first_run_is_the_clean_one_where_it_imports_nothing(monkeypatch):
    def pay(number):
        users[number]["password"] = "paid"

    def pay_by_a_library(number):
        from colorsys import rgb_to_hls

        users[number]["password"] = rgb_to_hls(0, 0, 0)

    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    counted(pay)  # may be the first check of all, for which libraries are imported
    runs, said = counted(pay)
    others, _ = counted(pay_by_a_library)

    # Both clean runs, and both deliveries of the history.
    assert (runs, others, said[:10]) == (4, 5, "Explored 1")


def test_what_only_the_first_run_prepares_is_no_part_of_the_clean_run():
    cache = SimpleNamespace(rate=None)

    def pay(number):
        if cache.rate is None:
            cache.rate = 2
        mail.send(number)
        users[number]["password"] = cache.rate

    assert "DUPLICATE" in outcome(pay, histories=["crash"])


def test_what_a_job_keeps_is_said_where_it_leaves_it_nothing_to_do():
    runs = itertools.count()

    def write(number):
        if next(runs) == 0:
            mail.send(number)

    outcome(
        mail.send, world=None
    )  # may be the first check of all, for which libraries are imported

    assert "so the job keeps something from one run to the next" in outcome(write, world=None)


@pytest.mark.parametrize("period", [2, 3])
def test_what_a_job_keeps_is_found_where_it_comes_back(period):
    runs = itertools.count()

    def pay(number):
        users[number]["password"] = next(runs) % period

    assert "so the job keeps something from one run to the next" in outcome(pay)


# One delivery


def mark_and_fail(number):
    if "paid" in users[number]:
        return
    users[number]["paid"] = True
    mail.sendd(number)


async def mark_and_fail_in_a_coroutine(number):
    mark_and_fail(number)


@app.task(bind=True)
def ask_again_after_an_error(self, number):
    try:
        mark_and_fail(number)
    except AttributeError as error:
        raise self.retry(exc=error) from error


@each_row(
    "checked",
    [
        mark_and_fail,
        mark_and_fail_in_a_coroutine,
        app.task(mark_and_fail, name="clean_plain"),
        app.task(acks_late=True, name="clean_late")(mark_and_fail),
        app.task(autoretry_for=(Exception,), name="clean_rule")(mark_and_fail),
        ask_again_after_an_error,
        job(mark_and_fail),
    ],
)
def test_a_job_that_fails_at_its_first_delivery_has_no_clean_run(checked):
    refusal = outcome(checked)
    assert "One clean run of the job ends with AttributeError" in refusal
    assert "in mark_and_fail: mail.sendd(number)\n" in refusal


def test_a_job_may_ask_by_name_for_the_delivery_in_which_it_does_its_work():
    @app.task(bind=True, name="clean_poll")
    def poll(self, number):
        users[number]["polled"] = users[number].get("polled", 0) + 1
        if users[number]["polled"] < 3:
            raise self.retry(countdown=5)
        users[number]["polled"] = 3

    assert outcome(poll, histories=["twice", "crash"]).startswith("Explored")


def test_a_job_that_asks_for_ever_has_no_clean_run():
    @app.task(bind=True, name="asks_for_ever", max_retries=None)
    def asks_for_ever(self, number):
        raise self.retry(countdown=5)

    assert "comes to no end: each of its 4 deliveries asks for another one" in outcome(
        asks_for_ever
    )


# A redelivery that a library does not make


@app.task
def post(number):
    mail.post(number, idempotency_key=str(number))
    users[number]["posted"] = True


@app.task
def look_at_what_is_not_there(number):
    try:
        post.run(number)
    except ConnectionError as error:
        users[number]["status"] = error.response.status_code
        raise


def test_a_pass_by_a_redelivery_that_the_library_does_not_make_is_said():
    said = outcome(post)
    assert (
        "effect_fails: passed only by a redelivery that celery does not make (ConnectionError at line"
        in said
    )
    assert (
        "reply_lost: passed only by a redelivery that celery does not make (TimeoutError at line"
        in said
    )
    by_rule = app.task(autoretry_for=(OSError,), name="by_rule")(post.run)
    assert "passed only" not in outcome(by_rule)


def test_the_summary_names_what_passed_by_such_a_redelivery(pytester):
    pytester.makepyfile("""
        from unittest.mock import Mock

        from pytest_jobs import check_idempotent, job

        mail = Mock(spec=["send"])

        @job
        def thank(number):
            mail.send(number, idempotency_key=number)

        def test_thank():
            check_idempotent(thank, args=(7,))
    """)
    pytester.runpytest().stdout.fnmatch_lines(
        "passed only by redeliveries that core does not make: *.thank"
    )


def test_an_error_that_comes_about_while_another_one_is_handled_is_a_finding():
    with pytest.raises(LostEffect) as lost:
        check_idempotent(look_at_what_is_not_there, args=(7,), world=world)
    assert lost.value.report.history == "effect_fails"
    assert (
        "raises AttributeError(\"'ConnectionError' object has no attribute 'response'\") there"
        in str(lost.value)
    )


# One thing at a time


def test_a_job_that_measures_itself_measures_the_same_each_time():
    def measure(number):
        begun = time.perf_counter()
        time.sleep(2)
        users[number]["took"] = time.perf_counter() - begun

    assert outcome(measure, histories=["twice", "crash"]).startswith("Explored")


def test_an_error_of_the_second_clean_run_alone_is_no_way_to_end():
    stock = ["shoes"]

    def sell(number):
        mail.send(number, stock.pop())

    said = outcome(sell)

    assert said.startswith("The world is not fresh: the first clean run of the job ends well, and ")
    assert "ends with IndexError: pop from empty list:\n" in said
    assert "accept=" not in said


def set_password(number):
    digest = hashlib.sha256(f"{(salt := drawn())}secret".encode()).hexdigest()
    users[number]["password"] = f"sha256${salt}${digest}"


def drawn():
    return "".join(secrets.choice(string.ascii_letters) for _ in range(12))


def send_one_code_and_store_it(number):
    code = users[number].setdefault("code", drawn())
    mail.send(number, code, idempotency_key=number)


def send_another_code_and_store_it(number):
    users[number]["code"] = drawn()
    mail.send(number, users[number]["code"], idempotency_key=number)


def stamp(number):
    users[number]["at"] = datetime.now().strftime("on %d.%m.%Y at %H:%M:%S h")  # noqa: DTZ005


def draw_one_of_two(number):
    users[number]["coin"] = random.Random(secrets.token_bytes(8)).choice(["heads", "tails"])


def remember(number):
    if next(numbers) % 2 == 0:
        users[number]["told"] = True


def remember_that_it_sent(number):
    if next(numbers) % 2 == 0:
        mail.send(number)
    users[number]["told"] = True


@each_row(
    "checked, said",
    [
        (set_password, "Another value in each run, by chance: users[7].password."),
        (send_one_code_and_store_it, "Another value in each run, by chance: users[7].code"),
        (stamp, "Another value in each run, by the time: users[7].at."),
        (
            draw_one_of_two,
            "Two clean runs of the job with different random values end differently: users",
        ),
        (remember, "the job keeps something from one run to the next"),
        (remember_that_it_sent, "The first run did test_explored_clean_runs.mail: send(7)"),
    ],
)
def test_what_differs_between_clean_runs_is_named_by_what_it_depends_on(checked, said):
    assert said in outcome(checked, histories=["crash", "overlap"])


def test_a_derived_value_that_was_sent_and_another_one_that_is_stored_are_a_difference():
    assert "DIVERGED" in outcome(send_another_code_and_store_it, histories=["crash"])


@pytest.mark.parametrize("seconds", [30, 120, 600, 1_200, 4_000, 90_000])
def test_a_job_that_deletes_what_has_expired_depends_on_the_time(seconds):
    import explored_jobs

    now = time.time()

    def clean():
        db = explored_jobs.connect()
        db.execute("delete from codes where until < ?", (time.time(),))
        db.commit()

    def codes():
        rows = f"""
            create table codes (id integer primary key, until);
            insert into codes values (1, {now - 900}), (2, {now + seconds});
        """
        with sqlite_world(rows, bind=(explored_jobs, "connect")) as found:
            yield lambda: {"codes": found("codes")}

    said = str(check_idempotent(clean, world=codes, histories=["twice", "crash"]))
    assert ("Depends on the time: codes." in said) == (120 <= seconds <= 4_000)


@each_row(
    "form, named",
    [
        ("%Y-%m-%d_%H%M%S", "export-<by time 2>"),
        ("%Y-%m-%dT%H:%M:%S", "2 x ('export-<now>"),
        ("%Y%m%d%H%M%S", "export-<by time 2>"),
    ],
)
def test_a_name_with_the_time_is_another_one_at_the_second_delivery(tmp_path, form, named):
    def export():
        (tmp_path / f"export-{datetime.now().strftime(form)}.csv").write_text("1")  # noqa: DTZ005

    with pytest.raises(DuplicateEffect, match="DUPLICATE files") as twice:
        check_idempotent(export, histories=["twice"])
    assert named in str(twice.value)


def test_rows_with_a_time_keep_their_order_where_another_column_is_made_of_the_time():
    import explored_jobs

    def publish():
        db = explored_jobs.connect()
        for number in range(6):
            then = datetime.now(UTC) + timedelta(minutes=10 * number)
            row = f"{then.isoformat()}", number, f"0.{then:%y%m%d.%H%M}"
            db.execute("insert or ignore into versions values (?, ?, ?)", row)
        db.commit()

    def versions():
        table = "create table versions (created text, id integer primary key, version text)"
        with sqlite_world(table, bind=(explored_jobs, "connect")) as found:
            yield lambda: {"versions": set(found("versions"))}

    said = str(check_idempotent(publish, world=versions, histories=["twice"]))
    assert "Another value in each run, by the time: versions" in said


# An empty queue


@job
def ship(number):
    users.setdefault(number, {})["status"] = "shipped"


@job
def tell(number):
    mail.tell(number)


@job
def tell_and_ship(number):
    tell.perform_later(number)
    ship.perform_later(number)


@job
def cannot_be_performed(number):
    raise LookupError(f"no order {number}")


@job
def insert(number):
    if "inserted" in users[number]:
        raise ValueError("inserted already")
    users[number]["inserted"] = True


@job
def again_and_again(number):
    again_and_again.set(wait=60).perform_later(number + 1)


def enqueuing(*children):
    """Return a job that enqueues others, once."""

    @job
    def order(number):
        users[number]["status"] = "paid"
        for child in children:
            child.perform_later(number)

    return order


@each_row(
    "children, said",
    [
        ([ship], "Explored"),
        ([ship, ship], "Explored"),
        ([tell], "DUPLICATE test_explored_clean_runs.mail.tell [twice]"),
        ([tell_and_ship], "DUPLICATE test_explored_clean_runs.mail.tell [twice]"),
        ([insert], "POISON ValueError in test_explored_clean_runs.insert [twice]"),
        (
            [cannot_be_performed],
            "DUPLICATE enqueue test_explored_clean_runs.cannot_be_performed [twice]",
        ),
        ([again_and_again], "DUPLICATE enqueue test_explored_clean_runs.again_and_again [twice]"),
    ],
)
def test_two_ends_are_compared_when_the_queue_is_empty(children, said):
    assert said in outcome(enqueuing(*children))


def test_an_enqueue_that_is_not_performed_is_said_with_the_reason():
    said = outcome(
        enqueuing(cannot_be_performed),
        repeatable={"enqueue *cannot_be_performed"},
        histories=["twice"],
    )
    assert (
        "Not performed, so that enqueueing it is an effect: test_explored_clean_runs.cannot_be_performed"
        in said
    )
    assert "it ends with LookupError('no order 7') at line" in said


@job
def note_status(number):
    users[number].setdefault("noted", users[number].get("status"))


@job
def enqueue_first(number):
    note_status.perform_later(number)
    users[number]["status"] = "paid"


def test_a_job_that_a_killed_delivery_has_enqueued_runs_before_the_next_delivery():
    said = outcome(enqueue_first, histories=["crash"])
    assert "DIVERGED users [crash, 1 failing point]" in said
    assert "hint: a worker may take a job as soon as it is enqueued" in said
    assert (
        "before delivery 2: note_status(7), acknowledged\nthen note_status(7), acknowledged\n"
        in said
    )

    assert "Explored" in outcome(enqueuing(note_status), histories=["crash"])


@pytest.mark.parametrize(("stays", "said"), [(True, "DIVERGED users [crash"), (False, "Explored")])
def test_of_a_job_that_fails_as_it_runs_early_only_what_it_leaves_counts(stays, said):
    @job
    def note_paid(number):
        if "status" not in users[number]:
            if stays:
                users[number]["refused"] = True
            raise LookupError(number)
        users[number]["noted"] = users[number]["status"]

    @job
    def enqueue_first(number):
        note_paid.perform_later(number)
        users[number]["status"] = "paid"

    assert said in outcome(enqueue_first, histories=["crash"])


def test_an_enqueue_that_is_lost_is_lost_also_where_its_job_does_nothing_that_is_seen():
    @job
    def nothing(number): ...

    @job
    def mark_first(number):
        if "paid" not in users[number]:
            users[number]["paid"] = True
            nothing.perform_later(number)

    assert "LOST enqueue" in outcome(mark_first)
    assert "Explored" in outcome(enqueuing(nothing), histories=["twice"])


def test_a_queue_that_a_delivery_fills_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("pytest_jobs.exploration.histories.history.MOST_CHILDREN", 2)

    @job
    def ship_more_each_time(number):
        paid = users[number]["paid"] = 1 + users[number].get("paid", 0)
        for each in range(1 if paid == 1 else 30):
            ship.perform_later(each)

    assert outcome(ship_more_each_time, histories=["twice"]) == (
        "The job has enqueued more than 20 jobs, among them test_explored_clean_runs.ship, and one clean run "
        "enqueues fewer than 2."
    )


@each_row("times, at_least_once, recurs", [(20, (), False), (999, {"enqueue"}, True)])
def test_a_job_that_plans_its_own_next_run_is_performed_unless_it_recurs(
    times, at_least_once, recurs
):
    @job
    def look_again(number, turn):
        users[number]["turns"] = turn
        if turn < times:
            look_again.set(wait=60).perform_later(number, turn + 1)

    found = check_idempotent(
        look_again, args=(7, 0), world=world, histories=["crash"], at_least_once=at_least_once
    )
    assert ("look_again (it has planned its next run 24 times)" in str(found)) is recurs


def test_an_error_of_a_child_is_that_of_the_check():
    with pytest.raises(PoisonJob) as poison:
        check_idempotent(enqueuing(insert), args=(7,), world=world)
    assert isinstance(poison.value.__cause__, ValueError)


# What may happen again


@job
def notify(number):
    mail.send(number)
    tell.perform_later(number)


BOTH = {"test_explored_clean_runs.mail.send", "test_explored_clean_runs.mail.tell"}


@each_row(
    "repeatable, said",
    [
        (BOTH, "Explored"),
        ({"test_explored_clean_runs.mail"}, "Explored"),
        ({"*.mail.*"}, "Explored"),
        ({"test_explored_clean_runs.mail.send"}, "DUPLICATE test_explored_clean_runs.mail.tell"),
        (
            {*BOTH, "mail"},
            "repeatable={'mail'} names no effect of the job and no part of the state. Did",
        ),
        ((), f"write repeatable={{{', '.join(map(repr, sorted(BOTH)))}}}."),
    ],
)
def test_an_effect_that_may_happen_again_is_named_once_for_all_histories(repeatable, said):
    assert said in outcome(notify, repeatable=repeatable)


class Letters:
    def __init__(self):
        self.posted = []

    def send(self, number):
        self.posted.append(number)

    def tell(self, number): ...


@job
def write(number):
    mail.send(number)


@contextmanager
def office():
    letters = Letters()
    with fake(sys.modules[__name__], "mail", letters) as made:
        yield lambda: {"sent": made.calls, "a few": list(made.calls)[:9], "posted": letters.posted}


@each_row(
    "repeatable, said",
    [
        ({"mail.send", "posted"}, "Explored"),
        ({"mail", "posted", "sent"}, "Explored"),
        ({"mail.send"}, "write repeatable={'mail.send', 'posted'}."),
        ({"posted"}, "DUPLICATE mail.send"),
        ({"posts"}, "write repeatable={'a few', 'mail.send', 'posted', 'sent'}."),
    ],
)
def test_what_a_fake_shows_of_an_effect_that_may_happen_again_is_that_effect(repeatable, said):
    assert said in outcome(write, world=office, repeatable=repeatable)


def test_a_record_of_another_call_counts():
    @job
    def write_twice(number):
        mail.send(number)
        mail.tell(number)

    @contextmanager
    def sending():
        with fake(sys.modules[__name__], "mail", Letters()) as made:
            yield lambda: {"sent": made.calls}

    assert "DUPLICATE mail.tell" in outcome(write_twice, world=sending, repeatable={"mail.send"})


def test_at_least_once_says_why_it_does_not_cover_a_delivery_after_the_work_was_done():
    said = outcome(notify, at_least_once={"test_explored_clean_runs.mail"})
    assert (
        "at_least_once= accepts only what follows an interruption. If that may happen again at any time"
        in said
    )


# The time limit


def test_the_clean_runs_are_a_part_of_the_time_limit(monkeypatch):
    asked = []

    class Limit(TimeLimit):
        def __init__(self, *args):
            asked.append(len(mail.mock_calls))
            super().__init__(*args)

    monkeypatch.setattr(check, "TimeLimit", Limit)
    mail.reset_mock()
    outcome(post)
    assert asked == [0]
