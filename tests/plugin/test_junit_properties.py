"""The file of --junitxml has the jobs and the timelines of each test."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

TESTS = """
    from shop import Pay, Sync

    def test_jobs(jobs):
        Pay.perform_later(7)
        Pay.perform_later(8)
        jobs.perform(jobs.enqueued[0])

    def test_timeline(jobs):
        jobs.simulate_retries(Sync, raising=TimeoutError("no answer"))

    def test_without_jobs():
        pass

    def test_with_a_harness_alone(jobs):
        pass
"""


@pytest.mark.usefixtures("shop")
def test_a_test_has_its_jobs_and_its_timelines_as_properties(pytester):
    pytester.makepyfile(TESTS)

    pytester.runpytest("--junitxml=out.xml").assert_outcomes(passed=4)

    cases = ET.parse(pytester.path / "out.xml").getroot().iter("testcase")
    found = {
        case.get("name"): [(one.get("name"), one.get("value")) for one in case.iter("property")]
        for case in cases
    }
    [(name, timeline)] = found.pop("test_timeline")
    assert (name, timeline.splitlines()[0]) == (
        "jobs_timeline",
        "Sync: exhausted after 3 attempts in 21s",
    )
    assert found == {
        "test_jobs": [
            (
                "jobs",
                "#0 Pay(7) queue='payments': performed\n#1 Pay(8) queue='payments': pending",
            )
        ],
        "test_without_jobs": [],
        "test_with_a_harness_alone": [],
    }
