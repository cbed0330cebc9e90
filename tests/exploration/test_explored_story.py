"""The story shows how each delivery went, and nothing else."""

import asyncio

import gallery_jobs
import pytest
from celery import Celery
from gallery import shop

from pytest_jobs import check_idempotent, effects, fake_http
from pytest_jobs.errors import NotIdempotent

requests = pytest.importorskip("requests")


def story(job, world=shop, **options):
    """Return the deliveries of the report, line by line."""
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(job, args=(1,), world=world, **options)
    return str(found.value).partition("\n\n")[2].partition("\n\n")[0].splitlines()


class Mailer:
    async def send(self, number):
        await asyncio.sleep(0)


mailer = Mailer()


def office():
    with effects.wrap(mailer, "send"):
        yield dict


def test_an_effect_of_a_task_does_not_stand_at_the_line_that_launched_the_check():
    async def send(number):
        await asyncio.gather(mailer.send(number))

    assert not any("check_idempotent" in line for line in story(send, office))


def test_an_effect_of_a_job_without_lines_does_not_stand_at_the_line_that_launched_the_check():
    def send(number):
        gallery_jobs.gateway.charge(number, 100)

    lines = story(send, atomic=[send])

    assert not any("check_idempotent" in line for line in lines)
    assert any("(no line of the project)  <- gateway: charge(1, 100)" in line for line in lines)


def charge_in_several_lines(number):
    gallery_jobs.gateway.charge(
        number,
        sum(cents for cents in (60, 40)),
    )


def test_a_statement_of_several_lines_is_one_line_of_the_story():
    lines = [line.split() for line in story(charge_in_several_lines, histories=["twice"])]

    numbers = [line[0] for line in lines if line[0].isdigit()]
    assert len(numbers) == len(set(numbers)) * 2 == 2


def settle(number):
    fee = number
    total = fee + number
    look_up(total)
    gallery_jobs.gateway.charge(number, 100, key=number)


def look_up(total):
    first = total
    second = first
    third = second
    refuse_again(third)


def refuse_again(third):
    known = gallery_jobs.gateway.charged()
    fourth = third
    if known:
        raise ValueError(f"charged already: {fourth}")


def code_of(lines):
    """Return the lines of source, without their numbers and effects."""
    return [line[8:].partition("  <-")[0].strip() for line in lines if line[:6].strip().isdigit()]


def test_the_line_that_failed_and_its_callers_are_shown_although_others_ran_after_it():
    def settle_and_clean(number):
        try:
            settle(number)
        finally:
            first = number
            second = first
            third = second
            del third

    lines = story(settle_and_clean, histories=["twice"])
    second = next(at for at, line in enumerate(lines) if line.startswith("delivery 2"))

    shown = code_of(lines[second:])
    assert 'raise ValueError(f"charged already: {fourth}")' in shown
    assert [line for line in shown if line in ("look_up(total)", "refuse_again(third)")] == [
        "look_up(total)",
        "refuse_again(third)",
    ]
    assert shown[-1] == "del third"


def test_a_line_that_has_run_is_not_said_never_to_have_run():
    def mark_both(number):
        db = gallery_jobs.connect()
        for payment in (1, 2):
            if gallery_jobs.status_of(db, payment) != "open":
                return
            gallery_jobs.mark(db, payment)

    lines = story(mark_both, histories=["crash"])

    killed = next(at for at, line in enumerate(lines) if line.startswith("     x"))
    ran = {line.split()[0] for line in lines[:killed] if line.split()[0].isdigit()}
    assert {line.split()[0] for line in lines[killed:] if line.endswith("never ran")} & ran == set()
    assert any("never done: sqlite: update payments" in line for line in lines[killed:])


def test_the_file_is_named_above_a_delivery_that_was_killed_before_its_first_line():
    app = Celery("shop", broker="memory://")

    @app.task(name="shop.charge_at_first", bind=True)
    def charge(task, number):
        if not task.request.delivery_info["redelivered"]:
            gallery_jobs.gateway.charge(number, 100)

    lines = story(charge, histories=["crash"])

    assert lines[1].strip() == "test_explored_story.py"
    assert lines[2].startswith("     x  worker killed here, before line")


def test_a_request_that_a_fake_has_carried_out_had_an_effect():
    def pay(number):
        requests.post("https://pay.example.com/charges", json={"number": number}, timeout=1)

    def bank():
        with fake_http({"POST https://pay.example.com/charges": 201}):
            yield dict

    lines = story(pay, bank, histories=["twice"])

    assert any("<- pay.example.com: POST" in line for line in lines)
    assert not any("had no effect" in line for line in lines)
