"""Texts of failures and refusals, and a clock that stands."""

from asserting import _brief, failure, noon, refusal  # noqa: F401 - fixtures
