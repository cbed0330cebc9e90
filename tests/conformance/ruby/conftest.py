"""A clock that stands, and the texts with which assertions fail or refuse."""

from asserting import _brief, failure, noon, refusal  # noqa: F401 - fixtures
