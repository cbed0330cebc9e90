"""A call that hands work off, and that nobody repeats: what it owes is done, or it was never begun."""

from __future__ import annotations

import sqlite3
import sys
import threading
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from types import SimpleNamespace

import pytest
from tables import each_row

from pytest_jobs import (
    Job,
    check_handoff,
    check_idempotent,
    fake,
    load_schedule,
    sqlite_world,
)
from pytest_jobs.errors import (
    CriterionError,
    DuplicateEffect,
    ExplorationError,
    HalfDone,
    LostEffect,
    NotIdempotent,
)
from pytest_jobs.exploration.report.audience import Audience, audience

DATABASE = SimpleNamespace(connect=None, opened=None)
HERE = SimpleNamespace(orders={}, mails=[], audit=[], outbox={})
ERRORS = {"LOST": LostEffect, "HALF_DONE": HalfDone, "DUPLICATE": DuplicateEffect}


class Gateway:
    def capture(self, amount): ...

    def notify(self, number): ...


gateway = Gateway()


def shop():
    for each in vars(HERE).values():
        each.clear()
    with fake(sys.modules[__name__], "gateway", Gateway()):
        yield lambda: {
            "orders": dict(HERE.orders),
            "mails": list(HERE.mails),
            "audit": list(HERE.audit),
            "outbox": dict(HERE.outbox),
        }


class Send(Job):
    def perform(self, number):
        if HERE.orders.get(number) == "NEW":
            HERE.mails.append(number)
            HERE.orders[number] = "SENT"


class Careless(Job):
    def perform(self, number):
        HERE.mails.append(number)
        HERE.orders[number] = "SENT"


def place(number):
    HERE.orders[number] = "NEW"
    Send.perform_later(number)


def place_carelessly(number):
    HERE.orders[number] = "NEW"
    Careless.perform_later(number)


def enqueue_first(number):
    Send.perform_later(number)
    HERE.orders[number] = "NEW"


def swallow(number):
    HERE.orders[number] = "NEW"
    try:
        Send.perform_later(number)
    except ConnectionError:
        return "ok"


def compensate(number):
    HERE.orders[number] = "NEW"
    try:
        Send.perform_later(number)
    except ConnectionError:
        del HERE.orders[number]
        return SimpleNamespace(status_code=503)


def capture_first(number):
    gateway.capture(10)
    place(number)


def publish_again(number):
    HERE.orders[number] = "NEW"
    with suppress(ConnectionError):
        Careless.perform_later(number)
        return
    Careless.perform_later(number)


def do_it_inline(number):
    HERE.orders[number] = "NEW"
    try:
        Careless.perform_later(number)
    except ConnectionError:
        Careless.perform_now(number)


def publish_again_what_is_safe(number):
    HERE.orders[number] = "NEW"
    with suppress(ConnectionError):
        Send.perform_later(number)
        return
    Send.perform_later(number)


def capture_and_take_back(number):
    try:
        gateway.capture(10)
    except OSError:
        return SimpleNamespace(status_code=502)
    return place(number)


def capture_and_keep(number):
    HERE.orders[number] = "CHECK"
    with suppress(OSError):
        gateway.capture(10)
        place(number)


def write_audit_first(number):
    HERE.audit.append(f"placing {number}")
    place(number)


class Notify(Job):
    def perform(self, number, whom):
        gateway.notify(f"{whom} of {number}")


def tell_both(number):
    HERE.orders[number] = "NEW"
    for whom in ("customer", "warehouse"):
        Notify.perform_later(number, whom)


def tell_then_note(number):
    HERE.orders[number] = "NEW"
    Send.perform_later(number)
    gateway.capture(10)
    HERE.audit.append(f"captured {number}")


def remind_later(number):
    HERE.orders[number] = "NEW"
    Careless.set(wait=600).perform_later(number)


def remind_next_month(number):
    HERE.orders[number] = "NEW"
    Send.set(wait=timedelta(days=25)).perform_later(number)


def place_all(*numbers):
    for number in numbers:
        place(number)


def sweep():
    for number, status in list(HERE.orders.items()):
        if status == "NEW":
            Send.perform_later(number)


def sweep_all():
    for number in HERE.orders:
        Careless.perform_later(number)


def sweep_carelessly():
    for number, status in list(HERE.orders.items()):
        if status == "NEW":
            Careless.perform_later(number)


def overwrite():
    for number in HERE.orders:
        HERE.orders[number] = "SENT"


def outbox():
    with contextmanager(shop)() as snapshot:
        HERE.outbox.update({7: "owed", 8: "owed"})
        yield snapshot


def relay():
    for number in [number for number, status in HERE.outbox.items() if status == "owed"]:
        gateway.notify(number)
        HERE.outbox[number] = "sent"


def relay_marking_first():
    for number in [number for number, status in HERE.outbox.items() if status == "owed"]:
        HERE.outbox[number] = "sent"
        gateway.notify(number)


def place_with_attempts(number):
    HERE.orders[number] = {"status": "NEW", "attempts": 1}
    Attempt.perform_later(number)


class Attempt(Job):
    def perform(self, number):
        HERE.orders[number]["status"] = "SENT"


def try_again():
    for number, order in HERE.orders.items():
        if order["status"] == "NEW":
            order["attempts"] += 1
            Attempt.perform_later(number)


def digest():
    HERE.mails.append("digest")


#: The call, what finds lost work, and how the first line ends; "" for a call that passes.
CASES = [
    (place, None, "LOST mails [dies, 1 failing point, and nothing finds it: no recover=]"),
    (place, sweep, ""),
    (place, [sweep, digest], ""),
    (place, [sweep, sweep_all], "DUPLICATE mails [clean]"),
    (enqueue_first, sweep, ""),
    (enqueue_first, None, "LOST mails [early, 1 failing point]"),
    (swallow, None, "LOST mails [dies, 1 failing point, and nothing finds it: no recover=]"),
    (capture_first, sweep, "HALF_DONE gateway.capture without orders [dies, 1 failing point]"),
    (publish_again, sweep, "DUPLICATE mails [enqueue_unknown, 1 failing point]"),
    (publish_again_what_is_safe, sweep, ""),
    (do_it_inline, sweep, "DUPLICATE mails [enqueue_unknown, 1 failing point]"),
    (write_audit_first, sweep, "HALF_DONE audit without orders [dies, 1 failing point]"),
    (tell_both, None, "LOST gateway.notify [dies, 1 of 2 failing points"),
    (tell_then_note, None, "HALF_DONE orders without gateway.capture [dies, 1 of 3 failing points"),
    (place_carelessly, sweep_carelessly, "DUPLICATE mails [overtaken, 1 of 2 failing points]"),
    (remind_later, sweep, "DUPLICATE mails [clean]"),
    (remind_next_month, None, "LOST enqueue test_handoffs.Send [dies, 1 failing point, "),
]


@each_row("call, recover, said", CASES)
def test_the_end_of_each_history_is_judged_by_what_the_caller_was_told(call, recover, said):
    if not said:
        assert check_handoff(call, args=(7,), world=shop, recover=recover).histories > 3
        return
    with pytest.raises(ERRORS[said.partition(" ")[0]]) as found:
        check_handoff(call, args=(7,), world=shop, recover=recover)

    assert said in str(found.value).splitlines()[0]


def test_what_may_stay_after_half_a_call_is_named():
    check_handoff(write_audit_first, args=(7,), world=shop, recover=sweep, remains={"audit"})
    check_handoff(capture_first, args=(7,), world=shop, recover=sweep, remains={"gateway.capture"})
    with pytest.raises(
        ExplorationError, match=r"remains=.'adit'. names no .* Did you mean 'audit'"
    ):
        check_handoff(
            write_audit_first, args=(7,), world=shop, recover=sweep, remains={"audit", "adit"}
        )


def test_a_column_that_counts_attempts_is_named():
    with pytest.raises(NotIdempotent, match=r"DIVERGED orders .dies"):
        check_handoff(place_with_attempts, args=(7,), world=shop, recover=try_again)
    check_handoff(
        place_with_attempts, args=(7,), world=shop, recover=try_again, remains={"orders.attempts"}
    )


@each_row(
    "before, half, whole, said",
    [
        ([1], [1, 2], [1, 2, 3], "HALF_DONE paid [dies, "),
        (0, 50, 100, "DIVERGED paid [dies, "),
    ],
)
def test_some_of_several_pieces_are_half_a_call_and_another_value_is_not(before, half, whole, said):
    def world():
        HERE.outbox = {"paid": before}
        HERE.orders = {7: "NEW"}
        HERE.mails = []
        yield lambda: {**HERE.outbox, "orders": dict(HERE.orders)}

    def pay(number):
        HERE.outbox["paid"] = half
        HERE.outbox["paid"] = whole
        Send.perform_later(number)

    with pytest.raises(NotIdempotent) as found:
        check_handoff(pay, args=(7,), world=world, recover=lambda: Send.perform_later(7))

    assert said in str(found.value).splitlines()[0]


def test_a_relay_that_sends_and_then_marks_sends_twice_and_one_that_marks_first_loses():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway.notify .dies"):
        check_handoff(relay, world=outbox, recover=relay)
    check_handoff(relay, world=outbox, recover=relay, repeatable={"gateway.notify"})
    with pytest.raises(LostEffect, match=r"LOST gateway.notify .dies"):
        check_handoff(relay_marking_first, world=outbox, recover=relay_marking_first)


def test_a_caller_that_was_told_of_an_error_may_find_nothing_begun():
    check_handoff(compensate, args=(7,), world=shop, histories=["refused"])
    with pytest.raises(LostEffect, match=r"LOST mails .refused"):
        check_handoff(
            compensate, args=(7,), world=shop, histories=["refused"], failed=lambda answer: False
        )


def test_an_effect_whose_reply_is_lost_has_happened():
    options = {
        "args": (7,),
        "world": shop,
        "recover": sweep,
        "histories": ["refused", "reply_lost"],
    }

    with pytest.raises(
        HalfDone, match=r"HALF_DONE gateway.capture without orders .reply_lost, 1 failing point\]"
    ) as found:
        check_handoff(capture_and_take_back, **options)
    assert "passed: refused" in str(found.value)
    with pytest.raises(HalfDone, match=r"HALF_DONE gateway.capture without orders .reply_lost"):
        check_handoff(capture_and_keep, **{**options, "histories": ["reply_lost"]})
    check_handoff(capture_first, **options, remains={"gateway.capture"})


def test_a_message_that_the_library_may_lose_has_to_be_found():
    with pytest.raises(
        LostEffect, match=r"LOST mails .lost, 1 failing point, and nothing finds it"
    ):
        check_handoff(place, args=(7,), world=shop, histories=["lost"])
    check_handoff(place, args=(7,), world=shop, histories=["lost"], recover=sweep)


def test_a_sweep_that_overwrites_what_the_call_then_writes_ends_as_no_order_of_both_does():
    def set_twice(number):
        HERE.orders[number] = "NEW"
        before = HERE.orders[number]
        HERE.mails.append(before)
        HERE.orders[number] = f"{HERE.orders[number]} after {before}"

    def settle():
        for number, status in HERE.orders.items():
            if status == "NEW":
                HERE.orders[number] = "SETTLED"

    with pytest.raises(NotIdempotent, match=r"DIVERGED mails .overtaken"):
        check_handoff(set_twice, args=(7,), world=shop, recover=settle, histories=["overtaken"])


def test_one_turn_of_a_loop_stands_for_the_others_and_the_rest_of_a_loop_is_never_begun(
    monkeypatch,
):
    monkeypatch.setattr("pytest_jobs.exploration.histories.explorer._MOST_OF_THE_REST", 1_000)

    with pytest.raises(HalfDone, match=r"HALF_DONE orders .dies, 1 of 7 failing points") as found:
        check_handoff(place_all, args=tuple(range(12)), world=shop, recover=[sweep])

    assert found.value.report.exploration.histories < 40


@pytest.mark.parametrize("recovers", [True, False])
def test_recurring_tasks_find_lost_work(jobs, tmp_path, recovers):
    if recovers:
        (tmp_path / "recurring.yml").write_text(
            f"sweep:\n  class: {__name__}.Sweep\n  schedule: every 5 minutes\n"
        )
        jobs.recurring(load_schedule(tmp_path / "recurring.yml"))
        check_handoff(place, args=(7,), world=shop, recover="schedule")
    else:
        with pytest.raises(ExplorationError, match="no recurring task fires within 1h: let"):
            check_handoff(place, args=(7,), world=shop, recover="schedule")

    assert jobs.enqueued == []


class Sweep(Job):
    def perform(self):
        sweep()


class Broken(Job):
    def perform(self):
        raise ValueError("no sweep")


class Endless(Job):
    def perform(self):
        Endless.perform_later()


class Regular(Job):
    def perform(self):
        sweep()
        Regular.set(wait=600).perform_later()


def loop():
    while True:
        pass


def publish_to_a_broker_that_refuses_every_second(number):
    HERE.outbox[number] = len(HERE.outbox)
    if HERE.outbox[number] % 2:
        raise ConnectionError("busy")
    Send.perform_later(number)


def place_two(number):
    for each in (number, number + 1):
        HERE.orders[each] = "NEW"
        publish_to_a_broker_that_refuses_every_second(each)


def place_two_whatever_it_says(number):
    HERE.orders.update({number: "NEW", number + 1: "NEW"})
    for each in (number, number + 1):
        with suppress(ConnectionError):
            publish_to_a_broker_that_refuses_every_second(each)


def place_slowly(number):
    HERE.orders[number] = "NEW"
    Send.perform_later(number)
    threading.Event().wait()


def test_a_broker_that_refuses_every_second_message_and_a_sweep_that_enqueues_itself_later():
    def world():
        with contextmanager(shop)() as snapshot:
            yield lambda: {"orders": snapshot()["orders"], "mails": snapshot()["mails"]}

    for finds in (sweep, Regular):
        check_handoff(place_two_whatever_it_says, args=(7,), world=world, recover=finds)
    with pytest.raises(LostEffect, match=r"LOST mails \[dies"):
        check_handoff(place_two_whatever_it_says, args=(7,), world=world)


def answer_500(number):
    return SimpleNamespace(status_code=500)


def do_nothing(number): ...


REFUSALS = [
    (place, {"recover": Broken}, "recover=.*Broken fails after a clean call: .*no sweep"),
    (
        place,
        {"recover": Endless},
        "recover=.*Endless fails after a clean call: a clean run enqueues",
    ),
    (
        place,
        {"recover": loop, "time_limit": 0.2},
        "recover=loop comes to no end after a clean call",
    ),
    (
        place_slowly,
        {"time_limit": 0.2},
        r"so nothing was proved. It stands at:[^$]*threading.Event",
    ),
    (place_two, {"recover": sweep}, "One clean run of the job ends with ConnectionError: busy"),
    (answer_500, {}, r"ends with namespace.status_code=500., which tells its caller"),
    (do_nothing, {}, "changes nothing that the world shows"),
    (place, {"failed": lambda answer: answer is None}, "ends with None, which tells its caller"),
    (
        place,
        {"histories": ["overtaken"]},
        "names overtaken, and there is nothing to try: there is no",
    ),
    (place, {"histories": ["commit_unknown"]}, "the commit of sqlite has no answer to lose"),
]


@each_row("call, options, why", REFUSALS)
def test_what_shows_nothing_is_refused(call, options, why):
    with pytest.raises(ExplorationError, match=why):
        check_handoff(call, args=(7,), world=shop, **options)


@each_row(
    "options, why",
    [
        ({"histories": ["dead"]}, "A history must be one of early, dies, .* got 'dead'"),
        ({"histories": []}, "and none is named"),
        ({"recover": "sweep"}, "recover='sweep' is not a job or a function: pass what finds"),
        ({"recover": 7}, "7 is not a job or a function"),
        ({"remains": "audit"}, "remains='audit' must be a collection of names"),
    ],
)
def test_wrong_parameters_are_errors_of_the_call(options, why):
    with pytest.raises(CriterionError, match=why):
        check_handoff(place, args=(7,), world=shop, **options)


def test_one_history_is_carried_out_again_by_its_token():
    with pytest.raises(LostEffect) as found:
        check_handoff(place, args=(7,), world=shop)
    token = str(found.value).rpartition("--jobs-replay=")[2]
    reads = audience.set(Audience(replays=(token,)))

    with pytest.raises(LostEffect, match="replayed: this one history"):
        check_handoff(place, args=(7,), world=shop)
    assert "the replayed history passes now" in str(
        check_handoff(place, args=(7,), world=shop, recover=sweep)
    )
    audience.reset(reads)


def test_the_report_tells_the_call_and_what_followed():
    with pytest.raises(HalfDone) as found:
        check_handoff(capture_first, args=(7,), world=shop, recover=sweep)
    text = str(found.value)

    for line in (
        "capture_first(7) is left half done: HALF_DONE gateway.capture without orders [dies, 1 failing point]",
        "The process died, and nobody calls it again.",
        "the call",
        "recover sweep(), acknowledged, 2 times",
        "as if never called: mails, orders",
        "hint: gateway.capture is there without orders: do both in one transaction.",
        "If gateway.capture may stay after half a call, write remains={'gateway.capture'}.",
    ):
        assert line in text
    assert found.value.report.to_dict()["history"] == "dies"
    assert "delivery:" not in text


def test_the_check_of_a_job_says_that_a_function_which_enqueues_may_be_a_call():
    with pytest.raises(
        NotIdempotent, match=r"Is place_carelessly no job.*check_handoff\(place_carelessly"
    ):
        check_idempotent(place_carelessly, args=(7,), world=shop)


def test_a_table_that_nobody_opens_without_the_call_is_as_it_was(tmp_path):
    path = tmp_path / "bookings.db"

    with closing(sqlite3.connect(path)) as database, database:
        database.execute("create table booking (number)")
        database.execute("insert into booking values (1)")
    content = path.read_bytes()

    def bookings():
        path.write_bytes(content)
        yield from shop()

    def book(number):
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("insert into booking values (?)", (number,))
            gateway.capture(10)

    explored = check_handoff(book, args=(7,), world=bookings, histories=["refused"])

    assert "Compared unasked: table booking" in str(explored)


@contextmanager
def in_memory_of_the_world():
    with closing(sqlite3.connect(":memory:")) as DATABASE.opened:
        DATABASE.opened.execute("create table orders (id integer primary key, status)")
        DATABASE.connect = lambda: DATABASE.opened
        yield lambda table: DATABASE.opened.execute(f"select * from {table}").fetchall()


def in_a_world():
    DATABASE.connect = lambda: sqlite3.connect("nowhere.db")
    return sqlite_world(
        "create table orders (id integer primary key, status)", bind=(DATABASE, "connect")
    )


@pytest.mark.parametrize("opened", [in_memory_of_the_world, in_a_world])
def test_a_worker_reads_what_was_committed_while_the_call_goes_on(opened):
    def world():
        with opened() as rows, fake(sys.modules[__name__], "gateway", Gateway()):
            yield lambda: {"orders": rows("orders")}

    class Confirm(Job):
        def perform(self, number):
            db = DATABASE.connect()
            if db.execute("select status from orders where id = ?", (number,)).fetchone():
                gateway.notify(number)

    def order(number):
        db = DATABASE.connect()
        db.execute("insert into orders values (?, 'NEW')", (number,))
        Confirm.perform_later(number)
        db.commit()

    with pytest.raises(LostEffect, match=r"LOST gateway\.notify \[early, 1 failing point\]"):
        check_handoff(order, args=(1,), world=world)


def test_a_database_in_memory_that_connections_share_is_refused():
    def read(number):
        with closing(sqlite3.connect("file:shop?mode=memory&cache=shared", uri=True)) as db:
            db.execute("select 1")

    with pytest.raises(ExplorationError, match="Let the world put a database in a file"):
        check_handoff(read, args=(1,), world=shop)


def test_the_summary_says_what_a_check_that_passed_left_out(run_test):
    result = run_test(
        """
        from pytest_jobs import Job, check_handoff

        orders = {}

        class Ship(Job):
            def perform(self, number):
                orders[number] = "SHIPPED"

        class Relay(Job):
            def perform(self):
                for number in [number for number, status in orders.items() if status == "NEW"]:
                    Ship.perform_later(number)

        def place(number):
            orders[number] = "NEW"

        def shop():
            orders.clear()
            yield lambda: {"orders": dict(orders)}

        def test_it():
            check_handoff(place, args=(7,), world=shop, recover=Relay)
        """
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "passed: 1 check of place, 3 histories; nothing to try for: reply_lost, early, *, lost",
            "place: *Relay hands off work too, and was not killed: check_handoff(*Relay, ...)",
        ]
    )


def test_a_connection_of_a_world_commits_while_another_one_reads():
    def world():
        with in_a_world() as rows:
            with closing(DATABASE.connect()) as db, db:
                db.executemany("insert into orders values (?, 'NEW')", [(1,), (2,)])
            yield lambda: {"orders": rows("orders")}

    def close_all():
        seen = DATABASE.connect().execute("select id from orders order by id")
        for (number,) in seen:
            db = DATABASE.connect()
            db.execute("update orders set status = 'CLOSED' where id = ?", (number,))
            db.commit()

    check_idempotent(close_all, world=world, histories=["twice"])
