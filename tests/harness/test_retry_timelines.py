"""A timeline is drawn as text and as a picture."""

import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest

from pytest_jobs import Job, job, polynomially_longer, retry_on, sidekiq_backoff
from pytest_jobs.harness.records.delivery import Delivery
from pytest_jobs.harness.running.timeline import RetryTimeline

SVG = "{http://www.w3.org/2000/svg}"


class Unavailable(Exception):
    pass


@retry_on(Unavailable, wait=polynomially_longer, attempts=5)
class Charge(Job):
    def perform(self):
        pass


@retry_on(Unavailable, wait=sidekiq_backoff, attempts=26)
class Sidekiq(Charge):
    pass


@retry_on(Unavailable, wait=lambda failures: 30, attempts=3)
class Steady(Charge):
    pass


@retry_on(Unavailable, wait=lambda failures: 0, attempts=3)
class AtOnce(Charge):
    pass


class Plain(Job):
    def perform(self):
        pass


def test_a_timeline_as_text(jobs):
    timeline = jobs.simulate_retries(Charge, raising=Unavailable("down"))

    assert str(timeline) == (
        "Charge: exhausted after 5 attempts in 6m 2s\n"
        "attempt  starts   waits                                                   ends\n"
        "1        +0s      3s (3s to 3.15s)              #                         retried: Unavailable: down\n"
        "2        +3s      18s (18s to 20.4s)            ##                        retried: Unavailable: down\n"
        "3        +21s     1m 23s (1m 23s to 1m 35.15s)  ########                  retried: Unavailable: down\n"
        "4        +1m 44s  4m 18s (4m 18s to 4m 56.4s)   ########################  retried: Unavailable: down\n"
        "5        +6m 2s   -                                                       exhausted: Unavailable: down"
    )


@pytest.mark.parametrize(
    ("kind", "error", "options", "text"),
    [
        (
            Steady,
            Unavailable,
            {"succeed_on": 3},
            (
                "Steady: performed after 3 attempts in 1m\n"
                "attempt  starts  waits                            ends\n"
                "1        +0s     30s    ########################  retried: Unavailable\n"
                "2        +30s    30s    ########################  retried: Unavailable\n"
                "3        +1m     -                                performed"
            ),
        ),
        (
            Plain,
            Unavailable("a\nb"),
            {},
            (
                "Plain: failed after 1 attempt in 0s\n"
                "attempt  starts  waits    ends\n"
                "1        +0s     -        failed: Unavailable: a"
            ),
        ),
        (
            AtOnce,
            Unavailable,
            {},
            (
                "AtOnce: exhausted after 3 attempts in 0s\n"
                "attempt  starts  waits    ends\n"
                "1        +0s     0s       retried: Unavailable\n"
                "2        +0s     0s       retried: Unavailable\n"
                "3        +0s     -        exhausted: Unavailable"
            ),
        ),
    ],
    ids=["without chance", "one attempt", "without waits"],
)
def test_a_timeline_without_chance_or_waits_as_text(jobs, kind, error, options, text):
    assert str(jobs.simulate_retries(kind, raising=error, **options)) == text


def test_a_timeline_prints_its_headline(jobs):
    timeline = jobs.simulate_retries(Sidekiq, raising=Unavailable)

    assert timeline.headline == "Sidekiq: exhausted after 26 attempts in 20d 9h 49m"
    assert repr(timeline) == "<RetryTimeline Sidekiq: exhausted after 26 attempts in 20d 9h 49m>"


def test_attempts_are_compared_by_value_and_are_read_only(jobs, noon):
    one = jobs.simulate_retries(Steady, raising=Unavailable("x")).attempts
    other = jobs.simulate_retries(Steady, raising=one[0].error).attempts

    assert one[0].wait == other[0].wait
    with pytest.raises(AttributeError):
        one[0].number = 2


def drawn(timeline):
    root = ET.fromstring(timeline.svg())
    texts = [element.text for element in root.iter(f"{SVG}text")]
    return root, texts


@pytest.mark.parametrize(
    ("kind", "attempts"), [(Charge, 5), (Sidekiq, 26), (Steady, 3), (AtOnce, 3), (Plain, 1)]
)
def test_a_picture_is_well_formed_and_has_one_circle_an_attempt(jobs, kind, attempts):
    root, texts = drawn(jobs.simulate_retries(kind, raising=Unavailable("down")))

    assert root.tag == f"{SVG}svg"
    assert len(list(root.iter(f"{SVG}circle"))) == attempts
    assert [str(number) for number in range(1, attempts + 1)] == [t for t in texts if t.isdigit()]


def test_a_picture_says_what_the_text_says(jobs):
    timeline = jobs.simulate_retries(Charge, raising=Unavailable("down"))
    root, texts = drawn(timeline)
    _, of_success = drawn(jobs.simulate_retries(Charge, raising=Unavailable, succeed_on=2))

    assert root.find(f"{SVG}title").text == timeline.headline
    assert texts[0] == timeline.headline
    waits = ("3s", "18s", "1m 23s", "4m 18s")
    assert [text for text in texts if text.startswith("again")] == [f"again in {w}" for w in waits]
    assert (texts[-1], of_success[-1]) == ("exhausted: Unavailable: down", "performed")


def test_the_axis_shows_the_times_up_to_the_last(jobs):
    _, short = drawn(jobs.simulate_retries(Charge, raising=Unavailable))
    _, long = drawn(jobs.simulate_retries(Sidekiq, raising=Unavailable))

    assert short[1:8] == ["time since the first attempt", "0s", "1s", "10s", "1m", "6m 2s", "1"]
    assert long[2:10] == ["0s", "1s", "10s", "1m", "10m", "1h", "6h", "1d"]
    assert long[10] == "20d 9h 49m"


def test_the_axis_goes_on_to_the_end_of_the_run_beyond_its_largest_round_time(jobs):
    @retry_on(Unavailable, wait=timedelta(days=500), attempts=2)
    @job
    def patient():
        pass

    _, texts = drawn(jobs.simulate_retries(patient, raising=Unavailable))

    assert texts[10:14] == ["7d", "30d", "500d", "1"]


def test_a_picture_grows_with_the_attempts(jobs):
    heights = [
        float(drawn(jobs.simulate_retries(kind, raising=Unavailable))[0].get("height"))
        for kind in (Plain, Charge, Sidekiq)
    ]

    assert heights == [126, 246, 876]


def test_the_circles_run_to_the_right_and_have_the_colour_of_their_status(jobs):
    root, _ = drawn(jobs.simulate_retries(Charge, raising=Unavailable))
    circles = list(root.iter(f"{SVG}circle"))
    places = [float(circle.get("cx")) for circle in circles]
    _, performed = None, jobs.simulate_retries(Charge, raising=Unavailable, succeed_on=1)
    green = next(ET.fromstring(performed.svg()).iter(f"{SVG}circle"))

    assert places == sorted(set(places))
    assert [circle.get("fill") for circle in circles] == ["#bf8700"] * 4 + ["#cf222e"]
    assert green.get("fill") == "#2da44e"


def test_the_text_in_a_picture_is_escaped_and_has_no_characters_that_xml_does_not_have(jobs):
    timeline = jobs.simulate_retries(Charge, raising=Unavailable("<script>&\"'</script>"))
    root, texts = drawn(timeline)
    odd = jobs.simulate_retries(Plain, raising=Unavailable("a\x00b\x1b[31m\ud800c"))
    _, of_odd = drawn(odd)

    assert "<script>" not in timeline.svg()
    assert texts[-1] == "exhausted: Unavailable: <script>&\"'</script>"
    assert len(list(root.iter(f"{SVG}circle"))) == 5
    assert (of_odd[-1][:22], of_odd[-1][-1]) == ("failed: Unavailable: a", "c")


def test_the_bars_end_where_the_next_attempt_can_begin_at_the_latest(jobs):
    root, _ = drawn(jobs.simulate_retries(Charge, raising=Unavailable))
    bars = [r for r in root.iter(f"{SVG}rect") if r.get("rx")]
    circles = [float(circle.get("cx")) for circle in root.iter(f"{SVG}circle")]
    ends = [round(float(bar.get("x")) + float(bar.get("width")), 1) for bar in bars]

    # Two bars a wait: as far as chance can reach, and as far as it takes for sure.
    assert len(bars) == 8
    assert ends[1::2] == circles[1:]
    assert all(far >= sure for far, sure in zip(ends[::2], ends[1::2], strict=True))


def test_a_timeline_can_be_made_of_any_deliveries(make_record):
    second = 1_000_000_000
    deliveries = [
        Delivery(make_record(attempt=1), 0, "snoozed", wait_ns=90 * second),
        Delivery(make_record(attempt=2, queue=None), 90 * second, "crashed"),
    ]
    timeline = RetryTimeline("job", deliveries)

    assert timeline.waits == [timedelta(seconds=90)]
    assert (timeline.status, timeline.attempts[1].queue) == ("crashed", None)
    assert str(timeline) == (
        "job: crashed after 2 attempts in 1m 30s\n"
        "attempt  starts   waits                             ends\n"
        "1        +0s      1m 30s  ########################  snoozed\n"
        "2        +1m 30s  -                                 crashed"
    )
    assert len(list(ET.fromstring(timeline.svg()).iter(f"{SVG}circle"))) == 2


def test_a_local_job_is_drawn_by_its_own_name(jobs):
    @job
    def send_receipt():
        pass

    timeline = jobs.simulate_retries(send_receipt, raising=Unavailable)

    assert timeline.headline == "send_receipt: failed after 1 attempt in 0s"
