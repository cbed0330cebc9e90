"""What a message says to write works in the state that printed it."""

import re
import sys
import textwrap
from datetime import UTC

from message_gallery import MODULES, situations
from tables import each_row

import pytest_jobs
from pytest_jobs import errors

SITUATIONS = situations()
#: A verb of the harness in the lines of a message that advise.
CALL = re.compile(r"(?m)^(?:Hint|Next): .*?jobs\.\w+\(")
#: By situation: words of its message, and what they say to write. What the situation has closed is opened anew.
ROWS = [
    ("it_was_not_performed_yet", "jobs.perform_due()", "jobs.perform_due(); assert_performed(Pay)"),
    ("it_was_not_performed_yet", "jobs.drain()", "jobs.drain(); assert_performed(Pay)"),
    (
        "another_one_was_not_performed_yet",
        "jobs.drain()",
        "jobs.drain(); assert_performed(Pay, args=(7,))",
    ),
    ("it_is_not_due_yet", "jobs.drain()", "jobs.drain(); assert_performed(Pay)"),
    ("it_is_not_due_yet", "jobs.run_for(...)", "jobs.run_for(7200); assert_performed(Pay)"),
    ("it_waits_for_its_next_attempt", "jobs.drain()", "jobs.drain(); assert_performed(Charge)"),
    (
        "one_was_performed_and_one_waits",
        "jobs.drain()",
        "jobs.drain(); assert_performed(Pay, count=2)",
    ),
    (
        "its_delivery_lies_outside_the_window",
        "jobs.perform_due()",
        "jobs.perform_due(); assert_performed(Pay, count=2)",
    ),
    ("its_delivery_is_not_that_of_the_window", "leave it out", "assert_performed(Pay, args=(7,))"),
    ("it_was_enqueued_before_the_window", "leave it out", "assert_enqueued(Pay)"),
    (
        "a_pending_job_may_enqueue_it_when_it_runs",
        "jobs.drain()",
        "jobs.drain(); assert_enqueued(Deliver)",
    ),
    (
        "a_pending_job_did_enqueue_it_before",
        "jobs.drain()",
        "jobs.drain(); assert_enqueued(Deliver, count=2)",
    ),
    ("another_job_kept_it_out", "expect the job that came first", "assert_enqueued(Sync)"),
    (
        "another_job_kept_it_out",
        "jobs.drain()",
        "jobs.drain(); Sync.perform_later(7, full=True); assert_enqueued(Sync, params={'full': True})",
    ),
    (
        "another_job_kept_some_out",
        "jobs.drain()",
        "jobs.drain(); Sync.perform_later(7); assert_enqueued(Sync, count=2)",
    ),
    (
        "step_two_of_a_chain_was_not_started",
        "jobs.drain()",
        """
        with _chain() as chain:
            Pay.perform_later(7)
            chain.drain()
            send_receipt.perform_later(8)
            assert_enqueued(send_receipt)
    """,
    ),
    (
        "it_waits_for_a_commit",
        "jobs.commit()",
        """
        with transactions() as waiting:
            (system,) = waiting.harness.transactions
            system.functions = [lambda: send_receipt.perform_later(7)]
            waiting.commit()
            assert_enqueued(send_receipt)
    """,
    ),
    (
        "a_job_was_left_waiting_for_a_commit",
        "jobs.waiting_for_commit",
        """
        with transactions(callback("send_receipt.perform_later(7)", owner=send_receipt)) as opened:
            assert opened.waiting_for_commit[0].owner is send_receipt
            check_nothing_left(opened)
    """,
    ),
    ("a_rollback_dropped_it", "assert_not_enqueued", "assert_not_enqueued(send_receipt)"),
    (
        "a_strict_test_drained_nothing",
        "jobs.drain(at_least=0)",
        "jobs.drain(at_least=0); jobs.check()",
    ),
    ("a_job_was_left_alone", "jobs.drain()", "jobs.drain(); check_nothing_left(jobs)"),
    ("only_a_subclass_was_enqueued", "name the subclass", "assert_enqueued(Refund)"),
    ("its_subclass_was_performed", "name the subclass", "assert_performed(Refund)"),
    ("only_a_retry_matches", "attempt=", "assert_enqueued(Charge, wait=30, attempt=2)"),
    ("two_match_that_differ", "count=", "assert_enqueued(Pay, count=2)"),
    ("two_match_that_are_alike", "at_least=", "assert_enqueued(Pay, at_least=2)"),
    ("many_match", "at_most=", "assert_enqueued(Pay, at_most=12)"),
    ("it_was_performed_twice", "count=", "assert_performed(Pay, count=2)"),
    ("one_argument_differs", "params={...}", "assert_enqueued(Pay, params={'payment_id': 7})"),
    (
        "a_keyword_was_not_given",
        "params={...}",
        "assert_enqueued(Deliver, params={'parcel': 'parcel 7'})",
    ),
    ("every_criterion_differs", "drop a criterion", "assert_enqueued(Pay, args=(7,))"),
    (
        "it_is_due_later",
        "tolerance=",
        "assert_enqueued(Pay, at=NOON + timedelta(hours=23), tolerance=timedelta(hours=1))",
    ),
    ("it_failed", "assert what became of it", "assert_failed(Charge)"),
    (
        "it_failed_with_another_error",
        "a class stands for its subclasses",
        "assert_failed(Charge, error=Exception)",
    ),
    (
        "another_step_follows",
        "the list",
        """
        with _canvas():
            Pay.perform_later(7)
            assert_followed_by(Pay, [send_receipt])
    """,
    ),
    (
        "one_of_the_list_has_other_arguments",
        "assert_enqueued looks for one",
        "assert_enqueued(Refund)",
    ),
    (
        "a_parameter_is_given_as_a_criterion",
        "params={'payment_id': ...}",
        "Pay.perform_later(7); assert_enqueued(Pay, params={'payment_id': 7})",
    ),
    (
        "a_parameter_is_unknown",
        "'payment_id'",
        "Pay.perform_later(7); assert_enqueued(Pay, params={'payment_id': 7})",
    ),
    (
        "a_criterion_has_another_name",
        "wait=",
        "Pay.set(wait=60).perform_later(7); assert_enqueued(Pay, wait=60)",
    ),
    (
        "a_criterion_is_not_for_this_assertion",
        "assert_performed()",
        "Pay.perform_later(7); jobs.drain(); assert_performed(Pay, result='paid 7')",
    ),
    ("a_negative_assertion_has_a_number", "Leave it out", "assert_not_enqueued(Pay)"),
    (
        "the_arguments_fit_no_call",
        "params={...}",
        "Pay.perform_later(7); assert_enqueued(Pay, params={'payment_id': 7})",
    ),
    ("arguments_without_a_job", "name the job", "assert_not_enqueued(Pay, args=(7,))"),
    (
        "a_name_that_is_no_job",
        "'failures.send_receipt'",
        "assert_not_enqueued('failures.send_receipt')",
    ),
    ("a_method_of_a_job", "name Pay itself", "assert_not_enqueued(Pay)"),
    ("a_number_and_a_range", "leave at_least= and at_most= out", "assert_enqueued(Pay, count=0)"),
    (
        "an_empty_range",
        "swap them",
        "Pay.perform_later(7); Pay.perform_later(8); assert_enqueued(Pay, at_least=2, at_most=3)",
    ),
    (
        "wait_is_a_text",
        "timedelta",
        "Pay.set(wait=300).perform_later(7); assert_enqueued(Pay, wait=timedelta(minutes=5))",
    ),
    (
        "a_naive_datetime_is_expected",
        "at.replace(tzinfo=UTC)",
        "at = NAIVE.replace(tzinfo=UTC); Pay.set(at=at).perform_later(7); assert_enqueued(Pay, at=at)",
    ),
    (
        "within_holds_no_records",
        "with jobs.capture() as sent:",
        """
        with jobs.capture() as sent:
            Pay.perform_later(7)
        assert_enqueued(Pay, within=sent)
    """,
    ),
    (
        "a_wait_that_is_a_text",
        "timedelta(minutes=5)",
        "Pay.set(wait=timedelta(minutes=5)).perform_later(7)",
    ),
    (
        "a_key_that_is_no_text",
        "a list of pairs",
        "ShipItems.perform_later([], {'prices': [[7, 100]]})",
    ),
    ("a_class_instead_of_a_job", ".new(...)", "perform_all_later([Pay.new(7)])"),
    (
        "a_verb_of_another_library",
        "send_receipt.perform_later(...)",
        "send_receipt.perform_later(7)",
    ),
    ("a_keyword_of_another_library", "at=", "Pay.set(at=NOON).perform_later(7)"),
    (
        "no_adapter",
        "pytest_jobs.configure(adapter=...)",
        """
        jobs.harness.stand_aside()
        with configure(adapter=TestAdapter()):
            Pay.perform_later(7)
        jobs.harness.stand_in()
    """,
    ),
    (
        "no_harness",
        "with pytest_jobs.open_jobs():",
        """
        jobs.harness.stand_aside()
        with open_jobs():
            assert_not_enqueued(Pay)
        jobs.harness.stand_in()
    """,
    ),
    (
        "a_loop_without_an_end",
        "jobs.perform_due(children=False)",
        "jobs.perform_due(children=False)",
    ),
    (
        "a_coroutine_job_inside_of_a_running_loop",
        "await jobs.adrain()",
        "asyncio.run(jobs.adrain())",
    ),
    (
        "it_was_performed_already",
        "jobs.perform(jobs.redeliver(record))",
        "record = jobs.enqueued[0]; jobs.perform(jobs.redeliver(record))",
    ),
    ("there_is_no_result_yet", "drain first", "jobs.drain(); jobs.result_of(jobs.enqueued[0])"),
    ("an_item_of_an_empty_view", "jobs.enqueued", "jobs.enqueued[0]"),
    (
        "a_block_that_was_never_entered",
        "with jobs.inline():",
        """
        with jobs.inline():
            Pay.perform_later(7)
        assert_performed(Pay)
    """,
    ),
    (
        "a_record_is_gone",
        "@discard_on(RecordNotFoundError)",
        """
        @discard_on(RecordNotFoundError)
        class Ship(Job):
            def perform(self, order): ...

        Ship.perform_later(Order(5))
        jobs.drain()
        assert_discarded(Ship)
    """,
    ),
    (
        "another_library_holds_the_time",
        "jobs.clock.move_to(...)",
        "jobs.clock.move_to(NOON + timedelta(days=1))",
    ),
]


@each_row("name, says, written", ROWS)
def test_a_remedy_works_where_it_is_printed(name, says, written):
    one = SITUATIONS[name]
    with one.failed() as (jobs, _):
        names = {name: getattr(pytest_jobs, name) for name in pytest_jobs.__all__}
        names |= {**vars(errors), "UTC": UTC}
        for module in MODULES:
            names |= vars(sys.modules[module])
        exec(textwrap.dedent(written), {**names, "jobs": jobs})

    assert says in one.message()


def test_a_remedy_of_each_advice_that_names_a_verb_is_tried():
    texts = {name: one.message() for name, one in SITUATIONS.items()}
    anchors = {name: text.rpartition("explain ")[2] for name, text in texts.items()}
    advised = {anchors[name] for name, text in texts.items() if CALL.search(text)}

    assert advised - {anchors[name] for name, *_ in ROWS} == set()
