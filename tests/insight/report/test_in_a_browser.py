"""The page in a real browser: a headless Chromium, by Playwright.

Without them the tests are skipped, except in the environment `report` of tox, which is there for them.
"""

import itertools
import os
import shutil
from dataclasses import replace

import pytest
from report_sample import AUDIT, CHECKOUT, MAP, SESSION, SIGN_UP
from servers import PATIENCE

from pytest_jobs.insight.report.data import ReportData, ShownAttempt, ShownJob, ShownTest
from pytest_jobs.insight.report.making import page as made_page

IS_REQUIRED = os.environ.get("PYTEST_JOBS_BROWSER") == "required"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
if not IS_REQUIRED:
    pytest.importorskip("playwright", reason="Playwright is not installed: tox -e report")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium", allow_module_level=True)

WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The sandbox of Chromium refuses the user root, which a container of CI has.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Return a function that opens the page of a session; an error of its script fails the test."""
    contexts, errors, requests = [], [], []

    def opened(data=SESSION, viewport=WIDE, place="", **options):
        path = tmp_path / "jobs.html"
        path.write_text(made_page(data), "utf-8")
        context = browser.new_context(viewport=viewport, **options)
        context.set_default_timeout(PATIENCE * 1_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + place)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []
    assert [url for url in requests if not url.startswith("file:")] == []


def colour(page, selector="body", name="background-color"):
    return page.locator(selector).first.evaluate(f"one => getComputedStyle(one)['{name}']")


def focused(page):
    return page.evaluate("document.activeElement.textContent.trim().slice(0, 60)")


def tab_to(page, text):
    """Go on by the Tab key until something with a text has the focus; each stop on the way must be visible."""
    for _ in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "(one => one.matches(':focus-visible') && "
            "(getComputedStyle(one).outlineStyle !== 'none' || one.type === 'radio'))(document.activeElement)"
        ), focused(page)
        if focused(page).startswith(text):
            return
    raise AssertionError(f"nothing that begins with {text!r} can be reached by the keyboard")


def many(count):
    return ShownTest(
        "tests/test_many.py::test_many",
        "passed",
        "2026-03-01 09:00 UTC",
        tuple(
            ShownJob(
                number,
                "shop.charge",
                f"charge({number})",
                "celery",
                "payments",
                0.0,
                attempts=(ShownAttempt(1, 0.0, 0.0, "performed", order=count + number),),
                outcome="performed",
                order=number,
            )
            for number in range(count)
        ),
    )


def test_the_rows_of_a_few_tests_are_drawn_at_once(opened):
    page = opened()

    assert page.locator("details.test[open]").count() == 3
    assert page.locator(".lane").count() == 9
    assert page.locator(".lane").nth(1).locator(".outcome").inner_text() == "performed"
    # Three attempts; it waits before each of them, but for the time that the first one slept.
    assert page.locator(".lane").nth(1).locator("use").count() == 3
    assert page.locator(".lane").nth(1).locator(".waiting").count() == 3
    assert page.locator(".lane").nth(1).locator(".running").count() == 1
    assert page.locator(".axis text").first.text_content() == "+0s"


def test_a_click_on_a_line_opens_its_story(opened):
    page = opened()
    story = page.get_by_text("worker killed here, before line 14").nth(1)
    assert not story.is_visible()

    page.locator("summary").filter(has_text="db.execute").click()

    assert story.is_visible()


def test_a_click_on_a_job_lists_its_steps(opened):
    page = opened()
    page.get_by_text("charge(7, amount='19.90')").click()

    assert page.locator(".steps:visible li").all_inner_texts() == [
        "+0s: enqueued by #0",
        "+0s: attempt 1, 4s long: retried, again in 3s: Timeout: no answer",
        "+7s: attempt 2: retried, again in 18s: Timeout: no answer",
        "+25s: attempt 3: performed",
    ]


def test_a_click_on_a_job_that_failed_shows_where_it_raised(opened):
    page = opened()
    page.get_by_text("ship(7").first.click()

    assert "carrier.send(parcel)" in page.locator(".steps:visible pre").inner_text()


def test_an_address_with_the_id_of_a_test_opens_it_in_its_group(opened):
    tests = [replace(SIGN_UP, nodeid=f"test_a.py::test_it[{number} b]") for number in range(9)]
    page = opened(ReportData("shop", tests), place="#test_a.py::test_it[7 b]")

    assert page.locator("details.group[open]").count() == 1
    row = page.locator("details.test[open]").nth(1)
    assert row.locator(".nodeid").inner_text() == "test_a.py::test_it[7 b]"
    assert row.locator(".lane").count() == 1

    page.locator("#find").fill("it[3")
    assert page.locator("details.test:visible").count() == 1
    page.locator("#find").fill("nothing")
    assert not page.locator("details.group").is_visible()


@pytest.mark.parametrize(
    ("section", "line"),
    [("#audit", AUDIT.ranks[0].findings[0].replay), ("#maps", MAP["replay"])],
    ids=["audit", "check"],
)
def test_a_button_copies_the_line_that_replays_a_failure(opened, section, line):
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    page.locator(f"{section} .copy").click()

    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == line


def test_the_audit_is_seen_first(opened):
    page = opened()
    order = [
        page.locator(selector).first.bounding_box()["y"]
        for selector in ("nav", "#audit h2", "#audit .finding", "#audit h3 >> nth=-1", "#summary")
    ]

    assert order == sorted(order)
    assert order[2] < WIDE["height"]


def test_everything_can_be_done_by_the_keyboard(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"

    tab_to(page, "tests/test_checkout.py")
    page.keyboard.press("Enter")
    assert "test_checkout.py" in page.evaluate("location.hash")
    tab_to(page, "tests/test_checkout.py")
    page.keyboard.press("Enter")
    assert page.locator("details.test[open]").count() == 2
    page.keyboard.press("Enter")
    tab_to(page, "charge(7")
    page.keyboard.press("Space")
    assert page.locator(".steps:visible li").count() == 4
    page.reload()
    tab_to(page, "14")
    page.keyboard.press("Enter")
    assert page.locator("details.line[open]").count() == 1


def test_the_page_follows_the_colours_of_the_system(opened):
    assert colour(opened(color_scheme="light")) == "rgb(255, 255, 255)"
    assert colour(opened(color_scheme="dark")) == "rgb(16, 19, 23)"


def test_the_switch_overrules_the_system_and_is_remembered(opened):
    page = opened(color_scheme="dark")
    page.locator("input[value=auto]").focus()
    page.keyboard.press("ArrowRight")
    assert colour(page) == "rgb(255, 255, 255)"

    page.reload()
    assert colour(page) == "rgb(255, 255, 255)"

    page.locator("input[value=auto]").check()
    assert colour(page) == "rgb(16, 19, 23)"


def test_nothing_is_wider_than_a_phone(opened):
    page = opened(viewport=NARROW)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")

    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator(".track").first.bounding_box()["width"] > 300


@pytest.mark.parametrize("width", [360, 700, 1200])
def test_no_line_of_a_table_ends_within_a_word_of_a_name(opened, width):
    page = opened(viewport={"width": width, "height": 900})
    lines = page.evaluate("""
        [...document.querySelectorAll('tbody th')].flatMap(cell => [...cell.childNodes])
            .filter(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
            .map(node => {
                const range = document.createRange()
                range.selectNodeContents(node)
                return [node.data, range.getClientRects().length]
            })
    """)

    assert any(text.endswith("_") for text, _ in lines)
    assert {count for _, count in lines} == {1}


@pytest.mark.parametrize("width", [360, 700, 800, 1000, 1200])
def test_the_labels_of_the_axis_do_not_overlap(opened, width):
    page = opened(ReportData("shop", (CHECKOUT,)), viewport={"width": width, "height": 900})
    boxes = [text.bounding_box() for text in page.locator(".axis text").all() if text.is_visible()]

    assert len(boxes) >= 3
    assert all(
        before["x"] + before["width"] < after["x"] for before, after in itertools.pairwise(boxes)
    )


def test_of_ten_thousand_jobs_a_hundred_rows_are_drawn_at_a_time(opened):
    page = opened(ReportData("shop", (many(10_000),)))
    more = page.get_by_text("Show 100 more of 9,900")
    assert page.locator(".lane").count() == 100
    assert page.evaluate("document.querySelectorAll('*').length") < 2_500

    more.press("Enter")

    assert page.locator(".lane").count() == 200
    assert focused(page).startswith("charge(100)")


def test_of_many_tests_the_first_is_open_and_the_others_are_not_drawn(opened):
    tests = [
        replace(many(10), nodeid=f"tests/test_{number}.py::test_it") for number in range(1_000)
    ]
    page = opened(ReportData("shop", tests))

    assert page.locator(".lane").count() == 10
    page.locator("summary").nth(500).click()
    page.locator(".lane").nth(19).wait_for()
    assert page.locator(".lane").count() == 20


def test_tests_are_found_by_words_and_by_what_happened(opened):
    page = opened()
    visible = page.locator("details.test:visible")

    page.locator("#find").fill("welcome test_members")
    assert visible.count() == 2
    assert page.locator("#found").inner_text() == "2 of 3 tests"
    page.locator("#show").select_option("retried")
    assert visible.count() == 0
    assert page.get_by_text("No test matches.").is_visible()
    page.locator("#find").fill("")
    assert visible.count() == 1
    page.locator("#show").select_option("")
    assert page.locator("#found").inner_text() == ""


def test_paper_shows_what_a_click_would_and_the_screen_is_as_before(opened):
    page = opened(ReportData("shop", [CHECKOUT] * 5, maps=(MAP,)), color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert page.locator("details.test[open]").count() == 5
    assert page.locator("details.line[open]").count() == 2
    assert not page.locator("nav").is_visible()
    assert colour(page) == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]:not(.map, .group)").count() == 1


def test_a_page_without_jobs_says_so(opened):
    page = opened(ReportData("shop"))

    assert page.get_by_text("No jobs were seen").is_visible()
