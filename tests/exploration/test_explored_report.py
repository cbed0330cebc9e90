"""The report alone lets its reader mend the job."""

import json
import sys

import gallery_jobs
import pytest
from gallery import GALLERY, REPORTS, shop
from tables import each_row

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent, PoisonJob
from pytest_jobs.exploration.histories.plans import HISTORIES
from pytest_jobs.exploration.histories.verdicts import ERRORS
from pytest_jobs.exploration.report.audience import Audience, audience
from pytest_jobs.exploration.report.hints import hint


@pytest.fixture
def reads():
    """Return a function that lets somebody read the reports of this test."""
    tokens = []

    def reads(**options):
        tokens.append(audience.set(Audience(**options)))

    yield reads
    for token in reversed(tokens):
        audience.reset(token)


@pytest.fixture(autouse=True)
def _nobody_in_particular(reads):
    reads()


def failure(job, **options):
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(job, args=options.pop("args", (1,)), world=shop, **options)
    return found.value


@pytest.mark.parametrize("shown", GALLERY, ids=lambda shown: shown.name)
def test_a_report_is_the_same_on_every_python_in_every_run_and_when_it_is_replayed(shown, reads):
    """After a change on purpose `python tests/exploration/gallery.py` writes the reports anew: read them."""
    first = shown.report()
    assert f"{first}\n" == (REPORTS / f"{shown.name}.txt").read_text("utf-8")

    reads(replays=(str(first.report.token),))
    again = shown.report()
    assert type(again) is type(first)
    assert again.report.to_dict()["deliveries"] == first.report.to_dict()["deliveries"]
    assert "replayed: this one history; no other was looked at." in str(again)
    assert str(again.report.token) == str(first.report.token)


def test_the_gallery_has_every_verdict_and_no_report_that_is_long():
    texts = {shown.name: (REPORTS / f"{shown.name}.txt").read_text("utf-8") for shown in GALLERY}

    assert {path.stem for path in REPORTS.iterdir()} == texts.keys()
    words = [word for name in texts for word in ERRORS if name.upper().startswith(word)]
    assert len(words) == len(texts)
    assert {*words} == {*ERRORS}
    assert {
        name: len(text.splitlines()) for name, text in texts.items() if text.count("\n") > 40
    } == {}


def test_the_report_is_the_message_and_has_names_and_plain_values_for_what_it_tells():
    error = failure(gallery_jobs.pay)
    found = error.report.to_dict()

    assert str(error) == str(error.report)
    assert (error.report.verdict, error.report.effect) == ("DUPLICATE", "gateway.charge")
    assert error.report.history == "crash"
    assert json.loads(json.dumps(found)) == found
    point = found.pop("point")
    assert (point["kind"], point["function"], point["text"], point["hit"]) == (
        "after",
        "pay",
        "gateway: charge(1, 100)",
        1,
    )
    assert found["deliveries"][0]["acts"] == ["gateway: charge(1, 100)"]
    assert [one["acknowledged"] for one in found["deliveries"]] == [False, True]
    assert found["differences"][0] == {
        "name": "charges",
        "once": [["charge", 1, 100]],
        "now": [["charge", 1, 100], ["charge", 1, 100]],
    }
    assert {one["history"] for one in found["also_fails"]} == {
        "effect_fails",
        "reply_lost",
        "overlap",
    }
    assert found["explored"]["passed"] == ["twice", "restart"]
    assert found["not_explored"] == ["late", "lease_expires", "out_of_order"]
    assert found["replay"].startswith("crash:pay:pay:")


def test_an_error_that_somebody_else_raises_has_no_report():
    assert NotIdempotent("so it is").report is None


def test_all_failing_points_are_told_where_more_is_asked_for(reads):
    reads(verbose=True)

    lines = str(failure(gallery_jobs.look_up_first)).splitlines()

    begin = lines.index("2 histories failed:")
    assert lines[begin + 1 : begin + 4] == [
        "  overlap before line 67 of look_up_first: gateway.charge(number, 100): DUPLICATE gateway.charge",
        "  overlap before gateway: charge(1, 100): DUPLICATE gateway.charge",
        "",
    ]


def test_what_takes_ascii_only_gets_nothing_else(reads):
    reads(ascii=True)

    def greet(name):
        gallery_jobs.gateway.mail(name)

    text = str(failure(greet, args=("Zoë",)))

    assert text.isascii()
    assert text.startswith(r"greet('Zo\xeb') is not safe")


def test_the_replay_line_names_the_test(reads):
    reads(nodeid="tests/test_it.py::test_it[a b]")
    assert 'replay: pytest "tests/test_it.py::test_it[a b]" --jobs-replay=twice:charge' in str(
        failure(gallery_jobs.charge)
    )

    reads(nodeid='tests/test_it.py::test_it["$1"]')
    assert "replay: pytest 'tests/test_it.py::test_it[\"$1\"]' --jobs-replay=twice:charge" in str(
        failure(gallery_jobs.charge)
    )


def test_the_most_telling_of_each_name_are_looked_at_where_not_all_are(monkeypatch):
    monkeypatch.setattr("pytest_jobs.exploration.histories.explorer._MOST_OF_THE_REST", 4)

    text = str(failure(gallery_jobs.pay))

    assert "also fails: reply_lost (1 point), overlap (1 point)\n" in text
    assert "not looked at: effect_fails (2), overlap (9)" in text


def test_what_could_not_be_carried_out_after_the_first_failure_does_not_hide_it():
    def reach_out_in_need(number):
        gallery_jobs.gateway.charge(number, 100)
        try:
            gallery_jobs.gateway.charge(number, 100, key=number)
        except TimeoutError:
            import socket

            socket.create_connection(("127.0.0.1", 1))

    text = str(failure(reach_out_in_need))

    assert "DUPLICATE gateway.charge [twice]" in text.splitlines()[0]
    assert "could not be carried out: reply_lost (1)" in text


def test_a_call_with_a_known_key_is_told_to_have_had_no_effect():
    def pay(number):
        gallery_jobs.gateway.charge(number, 100, key=number)
        gallery_jobs.gateway.mail(number)

    assert "<- gateway: charge(1, 100, key=1) had no effect" in str(failure(pay))


def test_an_effect_stands_at_the_line_that_makes_it_and_not_at_the_last_that_ran():
    def key_of(number):
        return str(number)

    def pay(number):
        gallery_jobs.gateway.mail(key_of(number))

    lines = str(failure(pay)).splitlines()

    (made,) = {line.partition("<-")[0].strip()[4:].strip() for line in lines if "<-" in line}
    assert made == "gallery_jobs.gateway.mail(key_of(number))"


def test_a_line_that_was_not_heard_of_is_shown_by_what_was_done_in_it():
    before = sys.gettrace()
    # On Python 3.11 the lines of a delivery that is not interrupted give way to such a tool.
    sys.settrace(before or (lambda frame, event, argument: None))
    try:
        text = str(failure(gallery_jobs.charge))
    finally:
        sys.settrace(before)

    assert text.count("    30  gateway.charge(number, 100)  <- gateway: charge(1, 100)") == 2


def test_many_effects_are_told_in_few_lines():
    def mail(number):
        for customer in range(30):
            gallery_jobs.gateway.mail(customer)

    lines = str(failure(mail, histories=["twice"])).splitlines()

    assert len(lines) < 45
    assert "        ..." in lines
    assert (
        "  now:  2 x ('mail', 0), 2 x ('mail', 1), 2 x ('mail', 2), 2 x ('mail', 3), and 26 more"
        in lines
    )


def test_of_state_only_what_differs_is_shown():
    text = str(failure(gallery_jobs.claim))

    assert "payments\n  once: (1, 'paid'); 2 in all\n  now:  (1, 'working'); 2 in all\n\n" in text


def test_a_list_of_which_a_part_is_missing_is_not_called_nothing():
    def mail_all(number):
        if gallery_jobs.seen:
            return
        for customer in ("ann", "bob", "eve"):
            gallery_jobs.seen.add(customer)

    def world():
        gallery_jobs.seen.clear()
        yield lambda: {"seen": sorted(gallery_jobs.seen)}

    with pytest.raises(NotIdempotent) as found:
        check_idempotent(mail_all, args=(1,), world=world, histories=["crash"])

    assert "seen\n  once: 'bob', 'eve'; 3 in all\n  now:  only the others; 1 in all\n" in str(
        found.value
    )


def test_deliveries_that_go_the_same_way_are_told_of_once():
    def fail_when_charged(number):
        if gallery_jobs.gateway.charged():
            raise ValueError("charged already")
        gallery_jobs.gateway.charge(number, 100)

    error = failure(fail_when_charged)

    assert type(error) is PoisonJob
    assert "delivery 2 (same arguments, +1s), failed: ValueError: charged already" in str(error)
    assert "deliveries 3, 4 and 5, ever later, went the same way" in str(error)


@each_row("history", HISTORIES)
@each_row("verdict", ERRORS)
def test_there_is_a_hint_for_every_verdict_in_every_history(verdict, history):
    assert hint(verdict, history).endswith(".")
