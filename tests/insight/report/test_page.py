"""The page, as any program reads it."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from reached_rows import reached_rows
from report_sample import AUDIT, CHECKOUT, MAP, QUIET, REACHED, SESSION, SIGN_UP

import pytest_jobs.insight.report
from pytest_jobs.insight.reached.cases import Case
from pytest_jobs.insight.reached.reached import JobsReached, ReachedJob
from pytest_jobs.insight.report.data import ReportData, Schedule, ShownTest
from pytest_jobs.insight.report.making import page
from pytest_jobs.insight.seen.audited import (
    ShownAudit,
    ShownFinding,
    ShownGroup,
    ShownPart,
    ShownRank,
)

VOID = {
    "meta",
    "link",
    "input",
    "br",
    "wbr",
    "use",
    "path",
    "circle",
    "rect",
    "polyline",
    "polygon",
}
PAGE = Path(pytest_jobs.insight.report.__file__).with_name("page")


class Page(HTMLParser):
    """A page, taken apart."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.open = []
        self.texts = []
        self.data = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        if inside == "script" and data.startswith("{"):
            self.data.append(json.loads(data))
        elif inside not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def whole():
    return Page(page(SESSION))


def test_every_element_is_closed(whole):
    assert whole.open == []


def test_nothing_comes_from_elsewhere(whole):
    text = page(SESSION)
    addresses = [
        value
        for _, attributes in whole.elements
        for name, value in attributes.items()
        if name in ("src", "href", "action", "data", "srcset", "poster")
    ]

    assert all(address.startswith("#") for address in addresses)
    assert "@import" not in text
    assert "url(" not in text
    [policy] = [
        one["content"]
        for one in whole.all("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")


def test_ids_are_unique_and_links_lead_somewhere(whole):
    ids = [attributes["id"] for _, attributes in whole.elements if "id" in attributes]
    targets = {
        unquote(attributes["href"][1:]) for _, attributes in whole.elements if "href" in attributes
    }

    assert len(ids) == len(set(ids))
    assert targets <= set(ids)


def test_every_section_is_named_and_linked(whole):
    sections = [one["id"] for one in whole.all("section")]

    assert sections == ["audit", "summary", "maps", "timelines", "reached", "retries", "lint"]
    sections.remove("summary")
    assert [one["href"] for one in whole.all("a")][1:7] == [f"#{one}" for one in sections]


def test_the_summary_says_what_is_wrong_first_and_links_to_it(whole):
    begin = whole.text.index("Summary 1 of")
    said = whole.text[begin : whole.text.index("Checks: killed")]

    assert said.split(" ", 1)[1].strip() == (
        f"1 of 3 tests with jobs failed: {CHECKOUT.nodeid} "
        "1 of 1 check found that a job is not safe: DUPLICATE shop.charge "
        f"1 job failed in green tests: members.export in {QUIET.nodeid} "
        "1 of 3 jobs were reached by no test: shop.remind "
        "2 of 3 jobs were reached by a test. 1 of 3 rules, callbacks and schedules were seen. each job "
        "2 findings of the lint: lint"
    )


def test_an_audit_comes_first_with_its_findings_by_rank_and_what_was_not_checked(whole):
    begin = whole.text.index("Audit 4 jobs")
    said = whole.text[begin : whole.text.index("Summary 1 of")]
    [rank] = AUDIT.ranks
    [found] = rank.findings

    assert said.strip() == (
        f"Audit 4 jobs reached, 2 checked, 1 finding. {rank.title} LOST mail send_receipt(7) "
        f"{' '.join(found.lines)} {found.replay}Copy No finding shop.charge (1 check) Not checked "
        "Write a test in which it returns. shop.refuse: It raises in its tests. "
        "1 job of the registries that no test reaches shop.remind"
    )


def test_a_test_and_a_check_have_an_address_of_their_own():
    twice = [replace(CHECKOUT, nodeid="test_a.py::test_it[a b]") for _ in range(2)]
    details = Page(page(ReportData("shop", twice, maps=(MAP,)))).all("details")
    ids = [one["id"] for one in details if "id" in one]

    assert ids == [
        "check_shop.charge",
        "test_a.py::test_it[a_b]",
        "test_a.py::test_it[a_b]#2",
    ]


def test_tests_that_failed_come_first_and_those_of_a_function_are_one_group():
    def a_test(name, outcome="passed", jobs=()):
        return ShownTest(f"test_a.py::{name}", outcome, "", jobs)

    tests = [
        a_test("test_green"),
        a_test("test_lost", jobs=QUIET.jobs),
        *(
            a_test(f"test_many[{number}]", "failed" if number == 3 else "passed")
            for number in range(9)
        ),
    ]
    parsed = Page(page(ReportData("shop", tests)))
    shown = [one["id"] for one in parsed.all("details") if one.get("class") == "test"]

    assert shown[0] == "test_a.py::test_many[3]"
    assert shown[9:] == ["test_a.py::test_lost", "test_a.py::test_green"]
    assert [one["class"] for one in parsed.all("details")].count("group") == 1
    assert "test_a.py::test_many1 failed, 8 passed" in parsed.text


def test_a_test_has_its_name_its_counts_and_its_rows(whole):
    assert CHECKOUT.nodeid in whole.text
    assert "1 exhausted · 2 retried · 1 pending · 5 jobs · 1h 1m 40s" in whole.text
    assert [len(test["lanes"]) for test in whole.data] == [5, 3, 1]
    assert [one["data-kinds"] for one in whole.all("details") if "data-kinds" in one] == [
        "retried pending lost failed",
        "lost",
        "",
    ]


def test_a_sign_is_never_without_a_word(whole):
    tests = [one for one in whole.all("svg") if one.get("role") == "img"]

    assert [one["aria-label"] for one in tests] == [
        *["something is wrong"] * 4,
        "failed",
        "passed",
        "passed",
    ]
    for word in ("DUPLICATE", "safe", "not tried", "not at all", "exhausted"):
        assert word in whole.text


def test_a_line_of_a_map_has_its_story(whole):
    assert "killed before line 14: DUPLICATE charges" in whole.text
    assert "worker killed here, before line 14" in whole.text
    assert "overlap: DUPLICATE A second delivery ran whole" in whole.text
    assert "when it is killed, lost." in whole.text
    assert "--jobs-replay=c1:crash@13" in whole.text


def test_of_many_maps_those_of_safe_jobs_are_closed():
    safe = {**MAP, "tone": "ok", "verdict": "safe"}
    few, many = (Page(page(ReportData("shop", maps=maps))) for maps in ([safe], [MAP, *[safe] * 4]))

    assert [("open" in one) for one in few.all("details") if one.get("class") == "map"] == [True]
    assert [("open" in one) for one in many.all("details") if one.get("class") == "map"] == [
        True,
        *[False] * 4,
    ]


def test_each_job_has_a_row_with_what_tests_do_with_it_and_what_was_never_seen(whole):
    assert reached_rows(page(SESSION)) == [
        ("shop.charge", "enqueued, delivered, called", "exhausted"),
        ("shop.send_receipt", "only mocked", ""),
        ("shop.remind", "not at all", ""),
        ("shop.ShopTask", "-", "on_failure"),
    ]
    assert "shop/tasks.py:42" in whole.text


def test_without_an_audit_nobody_says_that_no_test_reaches_a_job():
    text = page(replace(SESSION, audit=None, reached=replace(REACHED, has_calls=False)))
    said = Page(text).text

    assert ("shop.remind", "in no harness", "") in reached_rows(text)
    assert "1 of 3 jobs were seen in no harness: shop.remind" in said
    assert "2 of 3 jobs were seen in a harness. 1 of 3 rules" in said
    assert "--jobs-audit sees direct calls and mocks too." in said


def test_a_schedule_of_retries_is_a_sentence(whole):
    assert "2 waits, 21s in all: 3s, 18s" in whole.text
    many = Page(page(ReportData("shop", schedules=[Schedule(["pay"], range(1, 26), "failed")])))
    assert "25 waits, 5m 25s in all: 1s, 2s, 3s, 4s, 5s, 6s, 7s, 8s and 17 more" in many.text


EVIL = "</script><script>alert(1)</script><!--\"'&\u2028\ud800"


def test_hostile_text_stays_text():
    jobs = tuple(replace(job, name=EVIL, call=EVIL, queue=EVIL) for job in CHECKOUT.jobs)
    test = replace(CHECKOUT, nodeid=EVIL, jobs=jobs)
    evil = {"title": EVIL, "about": EVIL, "tone": "bad", "text": EVIL}
    line = {"number": 1, "text": EVIL, "tone": "bad", "state": EVIL, "stories": [evil]}
    hostile = {
        **MAP,
        "job": EVIL,
        "semantics": EVIL,
        "replay": EVIL,
        "files": [{"name": EVIL, "lines": [line]}],
        "elsewhere": [evil],
    }
    finding = {"rule": EVIL, "path": EVIL, "line": 1, "message": EVIL}
    reached = JobsReached([ReachedJob(EVIL, cases=[Case("retried", EVIL)])])
    schedule = Schedule([EVIL], (3.0,), "retried")
    audit = ShownAudit(
        (EVIL,),
        (ShownRank(EVIL, True, (ShownFinding(EVIL, EVIL, (EVIL,), EVIL),)),),
        (ShownPart(EVIL, (ShownGroup(EVIL, EVIL, (EVIL,)),)),),
    )
    shown = ReportData(EVIL, (test,), (schedule,), reached, (hostile,), (finding,), (EVIL,), audit)
    text = page(shown)
    parsed = Page(text)

    assert "<script>alert" not in text
    assert len(parsed.all("script")) == 2
    assert parsed.data[0]["lanes"][0]["call"] == EVIL
    assert text.encode("utf-8")


def test_a_session_without_jobs_says_so():
    parsed = Page(page(ReportData("shop", findings=())))

    assert "No jobs were seen" in parsed.text
    assert "No findings." in parsed.text
    assert [one.get("id") for one in parsed.all("section")] == [None, "lint"]


def test_a_session_that_only_checks_has_its_maps_alone():
    parsed = Page(page(ReportData("shop", maps=(MAP,))))

    assert [one["id"] for one in parsed.all("section")] == ["summary", "maps"]


def test_a_thousand_tests_take_few_elements_each():
    few, many = (Page(page(ReportData("shop", [SIGN_UP] * count))).elements for count in (10, 110))

    assert (len(many) - len(few)) / 100 <= 8


def test_the_search_knows_the_test_and_its_jobs(whole):
    found = [one["data-find"] for one in whole.all("details") if "data-find" in one]

    assert found[1] == f"{QUIET.nodeid.lower()} members.welcome members.sync members.export"


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return sum(share * one for share, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_text_has_contrast_on_the_page_and_on_what_is_raised(mode):
    style = (PAGE / "page.css").read_text("utf-8")
    colours = {
        name: found[mode]
        for name, *found in re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", style)
    }

    assert {
        (name, ground)
        for name in ("ink", "soft", "accent", "ok", "wait", "bad", "crash", "quiet")
        for ground in ("page", "raised")
        if contrast(colours[name], colours[ground]) < 4.5
    } == set()
