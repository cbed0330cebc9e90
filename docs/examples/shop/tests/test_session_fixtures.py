"""A fixture of the session can enqueue and perform, too: its jobs are kept apart from those of the tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_jobs import Jobs
from pytest_jobs.types import AssertNotEnqueued
from shop import db
from shop.catalogue import Import
from shop.jobs import ImportProducts


@pytest.fixture(scope="session")
def stocked_shop(session_jobs: Jobs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which the catalogue has been imported, by the jobs that do it in production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "path", tmp_path_factory.mktemp("stocked") / "shop.db")
        patch.setattr(db, "durable", False)
        db.create_tables()
        Import.create(f"teapot-{number}" for number in range(250)).run_later()
        session_jobs.drain()
        return db.path


@pytest.fixture(autouse=True)
def database(stocked_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy for each test."""
    monkeypatch.setattr(db, "path", shutil.copy(stocked_shop, tmp_path / "shop.db"))
    return db.path


def test_the_catalogue_is_there() -> None:
    assert len(db.rows("SELECT * FROM products")) == 250


def test_the_jobs_of_the_fixture_are_none_of_the_test(
    jobs: Jobs, assert_not_enqueued: AssertNotEnqueued
) -> None:
    assert_not_enqueued(ImportProducts)
    assert len(jobs.enqueued) == 0


def test_the_jobs_of_the_test_are_its_own(jobs: Jobs, session_jobs: Jobs) -> None:
    Import.create(["kettle"]).run_later()

    assert len(jobs.enqueued) == 1
    jobs.drain()
    assert len(session_jobs.pending) == 0
