"""Recorded payloads are held against the code as it is now, step by step."""

import asyncio
import gc
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_jobs import check_payloads, current_jobs, job, open_jobs, sqlite_world
from pytest_jobs.errors import (
    IncompatiblePayload,
    NoHarnessError,
    PayloadError,
    RunningLoopError,
    UnusedFaultError,
    VerbInsideJobError,
)

BEFORE = """
from dataclasses import dataclass
from pytest_jobs import Job, job

@dataclass
class Money:
    cents: int

class Charge(Job):
    def perform(self, payment_id, money: Money): ...

@job
def send_receipt(order_id, email, *, copy=False): ...

@job
async def fetch(page): ...
"""


@pytest.fixture
def deploy(tmp_path, monkeypatch):
    """Return a function that replaces the code of the application, the module `kept_shop`."""
    (tmp_path / "code").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "code")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def deploy(source):
        (tmp_path / "code" / "kept_shop.py").write_text(source, "utf-8")
        sys.modules.pop("kept_shop", None)
        importlib.invalidate_caches()
        gc.collect()  # What was there before is gone, as after a restart.

    yield deploy
    sys.modules.pop("kept_shop", None)
    gc.collect()


@pytest.fixture
def record(tmp_path):
    """Return a function that records what another enqueues in the folder `payloads`."""

    def record(enqueue):
        with open_jobs() as jobs:
            enqueue(importlib.import_module("kept_shop"))
            return jobs.record_payloads(tmp_path / "payloads")

    return record


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of the payloads, seen from the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path("payloads")


@pytest.fixture
def receipts(deploy, record, folder):
    """Have the payload of a receipt recorded by the code of before, and return the name of its file."""
    deploy(BEFORE)
    (path,) = record(lambda shop: shop.send_receipt.perform_later(7, "ann@example.org", copy=True))
    return path.name


def refused(folder, **options):
    with pytest.raises(IncompatiblePayload) as raised:
        check_payloads(folder, **options)
    return str(raised.value)


def test_payloads_that_today_s_code_performs_pass(deploy, record, folder):
    deploy(BEFORE)

    def enqueue(shop):
        shop.send_receipt.perform_later(7, "ann@example.org")
        shop.Charge.perform_later(1, shop.Money(100))
        shop.fetch.perform_later(3)

    written = record(enqueue)

    checked = check_payloads(folder)

    assert [path.name for path in checked] == [path.name for path in written]
    assert len(check_payloads(folder, perform=True)) == 3


def test_payloads_in_folders_are_looked_at(receipts, folder):
    (folder / "mail").mkdir()
    (folder / receipts).rename(folder / "mail" / receipts)

    assert check_payloads(folder) == (folder / "mail" / receipts,)


def test_a_job_that_was_renamed(deploy, receipts, folder):
    deploy(BEFORE.replace("send_receipt", "send_invoice"))

    assert refused(folder) == (
        "The only payload in payloads cannot be performed by today's code.\n"
        "\n"
        f"{receipts}\n"
        "  job:       kept_shop.send_receipt (core)\n"
        "  failed at: finding the job\n"
        "  because:   No job has this name any more.\n"
        "  to do:     keep the old name in kept_shop until no such job can be waiting, as in `class "
        "send_receipt(NewName): ...`; for a job function, derive from its `job_class`."
    )


@pytest.mark.parametrize(
    "alias",
    [
        "class send_receipt(send_invoice.job_class): ...",
        "@job\ndef send_receipt(order_id, email, *, copy=False): ...",
    ],
)
def test_the_old_name_can_be_kept(deploy, receipts, folder, alias):
    deploy(f"{BEFORE.replace('send_receipt', 'send_invoice')}\n{alias}\n")

    assert len(check_payloads(folder, perform=True)) == 1


def test_a_module_that_cannot_be_imported(deploy, receipts, folder):
    deploy("1 / 0\nfrom pytest_jobs import job\n@job\ndef send_receipt(): ...")

    assert (
        "  failed at: finding the job\n  because:   ZeroDivisionError: division by zero\n"
        in refused(folder)
    )


def test_a_parameter_without_a_default(deploy, receipts, folder):
    deploy(BEFORE.replace("*, copy", "locale, *, copy"))

    assert refused(folder) == (
        "The only payload in payloads cannot be performed by today's code.\n"
        "\n"
        f"{receipts}\n"
        "  job:       kept_shop.send_receipt (core)\n"
        "  failed at: binding the arguments\n"
        "  because:   send_receipt.perform() missing 1 required positional argument: 'locale'\n"
        "  takes now: (order_id, email, locale, *, copy=False)\n"
        "  to do:     give `locale` a default until no job without it can be waiting."
    )


@pytest.mark.parametrize(
    ("signature", "reason", "advice"),
    [
        (
            "order_id, email",
            "got an unexpected keyword argument 'copy'",
            "go on accepting `copy` until no job with it can be waiting.",
        ),
        (
            "order_id, *, copy=False",
            "takes 1 positional argument but 2 positional arguments (and 1 keyword-only argument) were given",
            "go on accepting what was passed by position until no such job can be waiting.",
        ),
        (
            "order_id, email, *, sender, locale, copy=False",
            "missing 2 required keyword-only arguments: 'sender' and 'locale'",
            "give `sender` and `locale` a default until no job without it can be waiting.",
        ),
    ],
)
def test_a_signature_that_no_longer_fits(deploy, receipts, folder, signature, reason, advice):
    deploy(BEFORE.replace("order_id, email, *, copy=False", signature))

    text = refused(folder)

    assert f"  because:   send_receipt.perform() {reason}\n" in text
    assert text.endswith(f"  to do:     {advice}")


def test_parameters_that_changed_places(deploy, receipts, folder):
    deploy(BEFORE.replace("order_id, email", "email, order_id"))

    assert refused(folder).splitlines()[4:] == [
        "  failed at: binding the arguments",
        "  because:   What was passed by position as 'order_id' would now be 'email': parameters changed places.",
        "  takes now: (email, order_id, *, copy=False)",
        "  to do:     put the parameters back in their order, and new ones behind them.",
    ]


@pytest.mark.parametrize(
    ("before", "after"), [("order_id", "number"), ("*, copy", "locale='en', *, copy")]
)
def test_another_name_in_its_place_and_a_new_parameter_with_a_default_are_compatible(
    deploy, receipts, folder, before, after
):
    deploy(BEFORE.replace(before, after))

    assert len(check_payloads(folder, perform=True)) == 1


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("cents: int", "cents: int\n    currency: str", "missing 1 required positional argument"),
        ("cents: int", "amount: int", "got an unexpected keyword argument 'cents'"),
        (
            ", money: Money",
            ", money",
            "The payload carries a kept_shop.Money, which the job does not declare",
        ),
    ],
)
def test_an_argument_that_no_longer_decodes(deploy, record, folder, before, after, reason):
    deploy(BEFORE)
    record(lambda shop: shop.Charge.perform_later(1, shop.Money(100)))
    deploy(BEFORE.replace(before, after))

    text = refused(folder)

    assert reason in text
    assert "  failed at: decoding the arguments\n" in text
    assert text.endswith(
        "  to do:     let the job still read what it was sent: leave the class declared under its name, give "
        "a new field of a dataclass a default, keep the old members of an enum."
    )


def test_a_job_that_fails_on_what_it_was_sent(deploy, receipts, folder):
    deploy(BEFORE.replace("copy=False): ...", "copy=False): order_id.upper()"))

    assert len(check_payloads(folder)) == 1
    assert refused(folder, perform=True).splitlines()[4:] == [
        "  failed at: performing it",
        "  because:   The delivery ended as failed, AttributeError: 'int' object has no attribute 'upper'",
        (
            "  to do:     let the job accept what it was sent before the change; or give the check a `world` in "
            "which there is what the arguments refer to."
        ),
    ]


def test_an_assertion_in_a_job_is_a_failure_to_perform_it(deploy, receipts, folder):
    deploy(BEFORE.replace("copy=False): ...", "copy=False): assert not copy, 'no copies'"))

    assert "failed, AssertionError: no copies" in refused(folder, perform=True)


def test_a_job_that_is_retried_has_not_been_performed(deploy, receipts, folder):
    retried = "from pytest_jobs import retry_on\n@retry_on(ValueError)\n@job\ndef send_receipt"
    deploy(
        BEFORE.replace("@job\ndef send_receipt", retried).replace(
            "copy=False): ...", "copy=False): int(email)"
        )
    )

    assert "The delivery ended as retried, ValueError: invalid literal" in refused(
        folder, perform=True
    )


ROWS = """
from pytest_jobs import job
import kept_database

@job
def mark(payment_id):
    connection = kept_database.connect()
    found = connection.execute("UPDATE payments SET state = 'paid' WHERE id = ?", [payment_id])
    connection.commit()
    connection.close()
    if not found.rowcount:
        raise LookupError(payment_id)
"""


def test_each_is_performed_in_a_world_of_its_own(deploy, record, folder, monkeypatch):
    database = SimpleNamespace(connect=None)
    monkeypatch.setitem(sys.modules, "kept_database", database)
    built = []

    def world():
        schema = "CREATE TABLE payments (id, state)"
        with sqlite_world(schema, bind=(database, "connect")) as rows:
            connection = database.connect()
            connection.execute("INSERT INTO payments VALUES (1, 'new')")
            connection.commit()
            connection.close()
            built.append(rows)
            yield lambda: {"payments": rows("payments")}

    deploy(ROWS)
    record(lambda shop: (shop.mark.perform_later(1), shop.mark.perform_later(payment_id=1)))

    assert len(check_payloads(folder, world=world)) == 2
    assert len(built) == 2
    record(lambda shop: shop.mark.perform_later("2"))
    assert "The delivery ended as failed, LookupError: 2" in refused(folder, world=world)


def test_several_files_are_told_of_in_one_message(deploy, receipts, record, folder):
    deploy(BEFORE)
    record(lambda shop: (shop.fetch.perform_later(1), shop.fetch.perform_later(page=1)))
    deploy(
        BEFORE.replace("send_receipt", "send_invoice").replace("fetch(page)", "fetch(url, page)")
    )

    text = refused(folder)

    assert text.startswith("Of 3 payloads in payloads, 3 cannot be performed by today's code.\n\n")
    assert text.count("\n\n") == 3


def test_the_views_of_the_test_hear_nothing(deploy, receipts, folder):
    deploy(BEFORE)
    with open_jobs() as jobs:
        before = jobs.clock.now()
        check_payloads(folder, perform=True)

        assert len(jobs.enqueued) == len(jobs.deliveries) == 0
        assert not jobs.clock.frozen
        assert jobs.clock.now() >= before


def test_no_harness_stays_open(receipts, folder):
    check_payloads(folder)

    with pytest.raises(NoHarnessError):
        current_jobs()


def test_a_fault_of_the_test_does_not_strike(deploy, receipts, folder):
    with open_jobs() as jobs:
        fault = jobs.fail("kept_shop.send_receipt", raising=OSError)
        assert len(check_payloads(folder, perform=True)) == 1

        with pytest.raises(UnusedFaultError):
            fault.stop()


def test_a_directory_that_is_not_there(folder):
    with pytest.raises(PayloadError) as raised:
        check_payloads(folder)

    assert str(raised.value) == (
        "payloads does not exist, so no payload was looked at: write its path relative to the test, as in "
        "`Path(__file__).parent / 'payloads'`, and record with `jobs.record_payloads` first."
    )


def test_a_file_instead_of_a_directory(folder):
    folder.write_text("")

    with pytest.raises(PayloadError, match=r"^payloads is not a directory, so no payload"):
        check_payloads(folder)


def test_an_empty_directory(folder):
    folder.mkdir()

    with pytest.raises(PayloadError) as raised:
        check_payloads(folder)

    assert str(raised.value) == (
        "payloads holds no payload, so nothing was looked at: record with `jobs.record_payloads` and commit what "
        "it writes."
    )


def test_a_file_that_cannot_be_read(folder):
    folder.mkdir()
    (folder / "x.json").write_text("{")

    assert refused(folder) == (
        "The only payload in payloads cannot be performed by today's code.\n"
        "\n"
        "x.json\n"
        "  failed at: reading the file\n"
        "  because:   It cannot be read: JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)\n"
        "  to do:     take the file from version control again; delete and record it anew only when no such job "
        "can be waiting any more. One of a later format needs a later pytest-jobs."
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ("[]", "It is not a payload that `jobs.record_payloads` wrote."),
        ("{}", "It is not a payload that `jobs.record_payloads` wrote."),
        (
            {"format": 2},
            "It has format 2, and this version of pytest-jobs reads format 1.",
        ),
        (
            '{"format": 1}',
            "It lacks what every payload of format 1 has (KeyError: 'library').",
        ),
        (
            {"payload": None},
            "It lacks what every payload of format 1 has (TypeError: 'NoneType' object is not iterable).",
        ),
        (
            {"payload": {"format": 2}},
            (
                "This payload has format 2; this version of pytest-jobs reads format 1. It was not written by "
                "`Payload.to_dict`, or by a later version."
            ),
        ),
    ],
)
def test_a_file_of_another_layout(receipts, folder, changed, reason):
    path = folder / receipts
    if isinstance(changed, dict):
        changed = json.dumps({**json.loads(path.read_text()), **changed})
    path.write_text(changed)

    text = refused(folder)

    assert f"  failed at: reading the file\n  because:   {reason}\n" in text


def test_a_library_that_is_not_bridged(receipts, folder):
    data = json.loads((folder / receipts).read_text())
    (folder / receipts).write_text(json.dumps({**data, "library": "sidekiq"}))

    _, _, _, job, failed_at, because, advice = refused(folder).splitlines()
    assert job == "  job:       kept_shop.send_receipt (sidekiq)"
    assert failed_at == "  failed at: finding its library"
    # Libraries that another test has imported are captured as well.
    assert because.startswith("  because:   It is of 'sidekiq', and bridged are: core")
    assert advice == (
        "  to do:     name the application in `jobs_apps` and ask for the `jobs` fixture, or pass it: "
        "check_payloads(..., apps=[...])."
    )


def test_a_coroutine_job_is_not_performed_inside_a_running_loop(deploy, record, folder):
    deploy(BEFORE)
    record(lambda shop: shop.fetch.perform_later(1))

    async def test():
        assert len(check_payloads(folder)) == 1
        check_payloads(folder, perform=True)

    with pytest.raises(RunningLoopError) as raised:
        asyncio.run(test())

    assert str(raised.value) == (
        "kept_shop.fetch is a coroutine job, and check_payloads was to perform it inside a running event loop: "
        "call it in a plain test."
    )


@job
def check(folder):
    check_payloads(folder)


def test_a_job_does_not_check(receipts, folder):
    with open_jobs() as jobs:
        check.perform_later("payloads")
        with pytest.raises(VerbInsideJobError):
            jobs.drain()
