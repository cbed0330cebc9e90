"""A session of a shop, as data of the report."""

from pytest_jobs.insight.reached.cases import Case
from pytest_jobs.insight.reached.reached import JobsReached, ReachedJob
from pytest_jobs.insight.report.data import (
    ReportData,
    Schedule,
    ShownAttempt,
    ShownJob,
    ShownTest,
)
from pytest_jobs.insight.seen.audited import (
    ShownAudit,
    ShownFinding,
    ShownGroup,
    ShownPart,
    ShownRank,
)

DAY = 86_400.0

CHECKOUT = ShownTest(
    "tests/test_checkout.py::test_an_order_is_paid_and_shipped",
    "failed",
    "2026-03-01 09:00 UTC",
    (
        ShownJob(
            0,
            "shop.place_order",
            "place_order(7, language='de')",
            "celery",
            "default",
            0.0,
            attempts=(ShownAttempt(1, 0.0, 0.0, "performed", order=1),),
            outcome="performed",
            order=0,
        ),
        ShownJob(
            1,
            "shop.charge",
            "charge(7, amount='19.90')",
            "celery",
            "payments",
            0.0,
            parent=0,
            attempts=(
                ShownAttempt(1, 0.0, 4.0, "retried", 3.0, "Timeout: no answer", 5),
                ShownAttempt(2, 7.0, 7.0, "retried", 18.0, "Timeout: no answer", 8),
                ShownAttempt(3, 25.0, 25.0, "performed", order=9),
            ),
            outcome="performed",
            order=2,
        ),
        ShownJob(
            2,
            "shop.send_receipt",
            "send_receipt(7)",
            "celery",
            "mail",
            0.0,
            parent=0,
            attempts=(ShownAttempt(1, 0.0, 0.0, "performed", order=6),),
            outcome="performed",
            order=3,
        ),
        ShownJob(
            3,
            "shop.remind",
            "remind(7)",
            "celery",
            "mail",
            0.0,
            due=3 * DAY,
            parent=0,
            order=4,
        ),
        ShownJob(
            5,
            "shop.ship",
            "ship(7, parcel={'weight': 1200, 'to': 'Ann, Main Street 1, 12345 Springfield'})",
            "celery",
            "warehouse",
            25.0,
            due=3625.0,
            parent=1,
            attempts=(
                ShownAttempt(
                    1,
                    3700.0,
                    3700.0,
                    "exhausted",
                    error="CarrierError: <b>closed</b>",
                    order=11,
                    traceback='  File "shop.py", line 31, in ship\n    carrier.send(parcel)',
                ),
            ),
            outcome="exhausted",
            order=10,
        ),
    ),
)

SIGN_UP = ShownTest(
    "tests/test_members.py::test_a_member_is_welcomed[German]",
    "passed",
    "2026-03-01 09:00 UTC",
    (
        ShownJob(
            0,
            "members.welcome",
            "welcome('Ann')",
            "rq",
            "mail",
            0.0,
            attempts=(ShownAttempt(1, 0.0, 0.0, "performed", order=1),),
            outcome="performed",
        ),
    ),
)

QUIET = ShownTest(
    "tests/test_members.py::test_a_member_who_left_gets_no_mail",
    "passed",
    "2026-03-01 09:00 UTC",
    (
        ShownJob(
            0,
            "members.welcome",
            "welcome('Bob')",
            "rq",
            "mail",
            0.0,
            attempts=(ShownAttempt(1, 0.0, 0.0, "discarded", order=1),),
            outcome="discarded",
        ),
        ShownJob(1, "members.sync", "sync()", "rq", None, 0.0, outcome="removed", order=2),
        ShownJob(
            2,
            "members.export",
            "export()",
            "rq",
            None,
            0.0,
            attempts=(ShownAttempt(1, 0.0, 0.0, "crashed", error="WorkerKilled: line 3", order=4),),
            outcome="crashed",
            order=3,
        ),
    ),
)

STORY = """delivery 1
   shop.py
    12  order = db.get(order_id)
    13  bank.charge(order.card, order.total)  <- http: POST /charges
     x  worker killed here, before line 14
    14  db.execute("update orders set paid = 1")  never ran
delivery 2 (same arguments, +0s), acknowledged
    12  order = db.get(order_id)
    13  bank.charge(order.card, order.total)  <- http: POST /charges
    14  db.execute("update orders set paid = 1")  <- sqlite: update orders"""

MAP = {
    "job": "shop.charge",
    "call": "(7)",
    "nodeid": "tests/test_payments.py::test_charge_survives_redelivery",
    "verdict": "DUPLICATE",
    "tone": "bad",
    "summary": "explored 31 of 31 histories at 9 points",
    "semantics": "delivery: celery acknowledges this job before it runs; when it is killed, lost.",
    "replay": 'pytest "tests/test_payments.py::test_charge_survives_redelivery" --jobs-replay=c1:crash@13',
    "files": [
        {
            "name": "shop.py",
            "lines": [
                {
                    "number": 10,
                    "text": "@app.task",
                    "tone": "quiet",
                    "state": "",
                    "stories": [],
                },
                {
                    "number": 11,
                    "text": "def charge(order_id):",
                    "tone": "quiet",
                    "state": "",
                    "stories": [],
                },
                {
                    "number": 12,
                    "text": "    order = db.get(order_id)",
                    "tone": "ok",
                    "state": "safe",
                    "stories": [{"title": "killed before line 12: safe", "tone": "ok", "text": ""}],
                },
                {
                    "number": 13,
                    "text": "    bank.charge(order.card, order.total)",
                    "tone": "bad",
                    "state": "DUPLICATE",
                    "stories": [
                        {"title": "killed before line 13: safe", "tone": "ok", "text": ""},
                        {
                            "title": "killed after http: POST /charges: DUPLICATE charges",
                            "tone": "bad",
                            "text": STORY,
                        },
                    ],
                },
                {
                    "number": 14,
                    "text": '    db.execute("update orders set paid = 1")',
                    "tone": "bad",
                    "state": "DUPLICATE",
                    "stories": [
                        {
                            "title": "killed before line 14: DUPLICATE charges",
                            "tone": "bad",
                            "text": STORY,
                        }
                    ],
                },
                {
                    "number": 15,
                    "text": "    mail.send(order.email)",
                    "tone": "quiet",
                    "state": "not tried",
                    "stories": [{"title": "not tried", "tone": "quiet", "text": ""}],
                },
            ],
        }
    ],
    "elsewhere": [
        {
            "title": "overlap: DUPLICATE",
            "about": "A second delivery ran whole while the first was under way.",
            "tone": "bad",
            "text": STORY,
        }
    ],
}

REACHED = JobsReached(
    [
        ReachedJob(
            "shop.charge",
            cases=[
                Case("retried", "autoretry_for Timeout", is_seen=True),
                Case("exhausted", "exhausted"),
            ],
            ways={"delivered", "enqueued", "called"},
        ),
        ReachedJob("shop.send_receipt", ways={"mocked"}),
        ReachedJob("shop.remind"),
        ReachedJob("shop.ShopTask", cases=[Case("callback", "on_failure")], is_base=True),
    ],
    has_calls=True,
)

FINDINGS = (
    {
        "rule": "JOB301",
        "path": "shop/tasks.py",
        "line": 42,
        "message": "`except Exception: pass` hides every error of the job.",
    },
    {
        "rule": "JOB404",
        "path": "shop/billing.py",
        "line": 7,
        "message": "The task is retried without limit.",
    },
)

AUDIT = ShownAudit(
    ("4 jobs reached, 2 checked, 1 finding.",),
    (
        ShownRank(
            "Lost, stuck or half done when the worker is killed",
            True,
            (
                ShownFinding(
                    "LOST mail",
                    "send_receipt(7)",
                    (
                        "killed after sqlite: commit (shop.py:21)",
                        "hint: a mark that is set before the effect hides that it was never made",
                        "reached by 2 tests (delivered)",
                    ),
                    'pytest "tests/test_mail.py::test_it" --jobs-audit --jobs-replay=crash:send_receipt:1a2b',
                ),
            ),
        ),
    ),
    (
        ShownPart("No finding", (ShownGroup(names=("shop.charge (1 check)",)),)),
        ShownPart(
            "Not checked",
            (
                ShownGroup(
                    "Write a test in which it returns.", ("shop.refuse: It raises in its tests.",)
                ),
            ),
        ),
        ShownPart(
            "1 job of the registries that no test reaches", (ShownGroup(names=("shop.remind",)),)
        ),
    ),
)

SESSION = ReportData(
    "shop",
    (CHECKOUT, SIGN_UP, QUIET),
    [Schedule(["shop.charge"], (3.0, 18.0), "performed")],
    REACHED,
    (MAP,),
    FINDINGS,
    (
        "2026-03-01 09:01 UTC",
        "pytest --jobs-report=jobs.html",
        "3 tests, 1 failed, in 4 s",
        "commit 3f2a9c1 of 2026-02-28",
        "pytest-jobs 1.0.0",
    ),
    AUDIT,
)
