"""Draws the picture of the report that the documentation shows: `python tests/insight/report/draw_report.py`.

It needs Playwright and Chromium, as the tests in a browser do.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import sync_playwright
from report_sample import SESSION

from pytest_jobs.insight.report.making import page as made_page

PICTURE = Path(__file__).parents[3] / "docs" / "pictures" / "report.png"


def draw():
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder, "jobs.html")
        path.write_text(made_page(replace(SESSION, tests=SESSION.tests[:1], audit=None)), "utf-8")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1080, "height": 1850})
        page.goto(path.as_uri())
        page.locator("summary").filter(has_text="db.execute").click()
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    draw()
