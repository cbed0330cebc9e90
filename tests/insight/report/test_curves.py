"""The waits between attempts, as curves."""

from pytest_jobs.insight.report.curves import HEIGHT, WIDTH, curves
from pytest_jobs.insight.report.data import ShownAttempt, ShownRun


def a_run(name, *waits, outcome="exhausted", bounds=None):
    attempts = [
        ShownAttempt(number, 0.0, 0.0, "retried", wait, bounds)
        for number, wait in enumerate(waits, 1)
    ]
    return ShownRun(name, (*attempts, ShownAttempt(9, 0.0, 0.0, outcome)), outcome)


def test_jobs_with_the_same_schedule_share_a_curve():
    steep, flat = curves([a_run("pay", 3, 18, 83), a_run("mail", 5, 5), a_run("ship", 3, 18, 83)])

    assert steep.names == ["pay", "ship"]
    assert steep.text == "3 waits, 1m 44s in all: 3s, 18s, 1m 23s"
    assert flat.names == ["mail"]


def test_of_a_job_the_longest_run_counts():
    [curve] = curves([a_run("pay", 3, outcome="performed"), a_run("pay", 3, 18), a_run("pay", 3)])

    assert curve.waits == [3, 18]
    assert (curve.outcome, curve.tone) == ("exhausted", "bad")


def test_a_job_that_was_not_retried_has_no_curve():
    assert curves([a_run("pay")]) == []


def test_a_longer_wait_is_higher_and_every_point_lies_in_the_picture():
    [curve] = curves([a_run("pay", 0, 15, 3600, 1_728_000)])
    heights = [y for _, y in curve.points]

    assert heights == sorted(heights, reverse=True)
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in curve.points)


def test_the_first_and_the_last_wait_are_named():
    [curve] = curves([a_run("pay", 3, 18, 83)])
    [single] = curves([a_run("mail", 5)])

    assert [text for *_, text in curve.labels] == ["3s", "1m 23s"]
    assert [text for *_, text in single.labels] == ["5s"]


def test_jitter_is_a_band_around_the_curve():
    [curve] = curves([a_run("pay", 3, 4, bounds=(3, 5))])
    [plain] = curves([a_run("pay", 3, 4)])

    assert len(curve.band) == 4
    assert curve.area.count(",") == 4
    assert plain.area == ""


def test_of_many_waits_the_first_are_named():
    [curve] = curves([a_run("pay", *range(1, 26))])

    assert curve.text == "25 waits, 5m 25s in all: 1s, 2s, 3s, 4s, 5s, 6s, 7s, 8s and 17 more"
