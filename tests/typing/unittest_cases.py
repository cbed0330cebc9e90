"""A test case has the harness and the assertions, typed as the fixtures are."""

from __future__ import annotations

import unittest
from typing import assert_type

from pytest_jobs import Delivery, Job, JobRecord, Jobs, JobsTestCase


class Pay(Job):
    def perform(self, payment_id: int) -> None: ...


class PayTest(JobsTestCase):
    jobs_mode = "inline"
    jobs_apps = ("django",)

    def test_it(self) -> None:
        assert_type(self.jobs, Jobs)
        assert_type(self.class_jobs, Jobs)
        assert_type(self.assert_enqueued(Pay), JobRecord)
        assert_type(self.assert_performed(Pay, count=2), tuple[Delivery, ...])

        self.assert_not_enqueued(Pay, count=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


class FetchTest(JobsTestCase, unittest.IsolatedAsyncioTestCase):
    jobs_mode = "off"  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    async def test_it(self) -> None:
        await self.jobs.adrain()
