"""Where the jobs of a test are drawn."""

from itertools import pairwise

from report_sample import CHECKOUT

from pytest_jobs.insight.report.data import ShownAttempt, ShownJob, ShownTest
from pytest_jobs.insight.report.lanes import steps, timeline


def a_job(sequence, enqueued=0.0, *attempts, parent=None, due=None, order=None):
    outcome = attempts[-1].status if attempts else "pending"
    place = sequence if order is None else order
    return ShownJob(
        sequence, "pay", "pay()", "core", None, enqueued, due, parent, attempts, outcome, place
    )


def drawn(*jobs):
    return timeline(ShownTest("test_it", "passed", "", jobs))


def test_a_child_is_drawn_below_its_parent_and_its_siblings_follow():
    lanes = timeline(CHECKOUT).lanes

    assert [(lane.job.sequence, lane.depth) for lane in lanes] == [
        (0, 0),
        (1, 1),
        (5, 2),
        (2, 1),
        (3, 1),
    ]


def test_events_of_one_instant_have_places_in_the_order_in_which_they_happened():
    first = a_job(0, 0.0, ShownAttempt(1, 0.0, 0.0, "performed", order=2))
    second = a_job(1, 0.0, ShownAttempt(1, 0.0, 0.0, "performed", order=3))
    one, two = drawn(first, second).lanes

    assert one.enqueued < two.enqueued < one.attempts[0][0] < two.attempts[0][0]


def test_a_longer_wait_is_drawn_longer_and_twenty_days_fit_beside_three_seconds():
    attempts = [
        ShownAttempt(number, at, at, "retried", order=number)
        for number, at in enumerate((0.0, 3.0, 63.0, 1_728_063.0), 1)
    ]
    [lane] = drawn(a_job(0, 0.0, *attempts)).lanes
    places = [begin for begin, _ in lane.attempts]
    gaps = [after - before for before, after in pairwise(places)]

    assert gaps == sorted(gaps)
    assert gaps[0] > gaps[2] / 10
    assert places[-1] == 97


def test_a_few_events_of_one_instant_stay_together():
    [lane] = drawn(a_job(0, 0.0, ShownAttempt(1, 0.0, 0.0, "performed", order=1))).lanes

    assert lane.attempts[0][0] < 15


def test_time_that_a_job_slept_has_a_length():
    [lane] = drawn(a_job(0, 0.0, ShownAttempt(1, 0.0, 60.0, "performed", order=1))).lanes
    [(begin, end)] = lane.attempts

    assert end > begin


def test_the_due_time_is_drawn_when_the_job_did_not_begin_then():
    on_time = a_job(0, 0.0, ShownAttempt(1, 60.0, 60.0, "performed", order=2), due=60.0)
    late = a_job(1, 0.0, ShownAttempt(1, 90.0, 90.0, "performed", order=3), due=60.0)
    never = a_job(2, 0.0, due=86_400.0)
    at_once = a_job(3, 0.0)
    lanes = drawn(on_time, late, never, at_once).lanes

    assert [lane.due is not None for lane in lanes] == [False, True, True, False]
    assert lanes[1].due < lanes[1].attempts[0][0] < lanes[2].due


def test_lines_lead_from_a_job_to_its_children_past_the_rows_between():
    lanes = timeline(CHECKOUT).lanes
    place_order, charge, ship, receipt, remind = lanes

    assert set(place_order.children) == {lane.enqueued for lane in (charge, receipt, remind)}
    assert charge.children == (ship.enqueued,)
    assert set(ship.through) == {receipt.enqueued, remind.enqueued}
    assert remind.through == ()


def test_a_child_far_below_its_parent_has_no_line_through_hundreds_of_rows():
    children = [a_job(number, parent=0) for number in range(1, 1_000)]
    lanes = drawn(a_job(0), *children).lanes

    assert max(len(lane.through) for lane in lanes) < 12


def test_a_parent_that_is_not_drawn_leaves_its_child_where_it_is():
    [lane] = drawn(a_job(4, parent=2)).lanes

    assert (lane.depth, lane.through, lane.children) == (0, (), ())


def test_the_axis_names_instants_without_overlap_and_the_last_one():
    attempts = [ShownAttempt(1, at * 1.0, at * 1.0, "retried", order=at + 1) for at in range(60)]
    ticks = drawn(a_job(0, 0.0, *attempts)).ticks
    places = [place for place, _ in ticks]

    assert ticks[0][1] == "+0s"
    assert ticks[-1][1] == "+59s"
    assert min(after - before for before, after in pairwise(places)) >= 12


def test_the_steps_of_a_job_are_sentences():
    assert list(steps(CHECKOUT.jobs[1])) == [
        "+0s: enqueued by #0",
        "+0s: attempt 1, 4s long: retried, again in 3s: Timeout: no answer",
        "+7s: attempt 2: retried, again in 18s: Timeout: no answer",
        "+25s: attempt 3: performed",
    ]
    assert list(steps(CHECKOUT.jobs[3])) == [
        "+0s: enqueued by #0, due at +3d",
        "at the end: pending",
    ]


def test_a_row_in_plain_values_leaves_out_what_it_does_not_have():
    first, *_ = timeline(CHECKOUT).to_dict()["lanes"]

    assert first["about"] == "#0 · celery · queue default"
    assert [tone for *_, tone in first["attempts"]] == ["ok"]
    assert "depth" not in first
    assert "due" not in first


def test_a_traceback_is_written_once_however_many_jobs_have_it():
    attempt = ShownAttempt(1, 0.0, 0.0, "failed", error="OSError: no", order=9, traceback="in pay")
    drawn_ = drawn(*(a_job(number, 0.0, attempt) for number in range(3))).to_dict()

    assert drawn_["tracebacks"] == ["in pay"]
    assert [lane["steps"][1] for lane in drawn_["lanes"]] == [
        ["+0s: attempt 1: failed: OSError: no", 0]
    ] * 3


def test_of_thousands_of_children_a_few_have_a_line_in_the_row_of_their_parent():
    parent, *_ = drawn(a_job(0), *(a_job(number, parent=0) for number in range(1, 5_000))).lanes

    assert len(parent.children) == 24
