"""The process that performs the jobs of a test: what its fixtures set up, and the fixture `jobs_worker`."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest

from ..errors import DeclarationError
from ..harness.open_harness import open_harnesses


def process_of(item: pytest.Item) -> AbstractContextManager[None]:
    """Let deliveries begin with what is set up now, while the body of a test runs.

    Fixtures stand for the worker that has started, in whatever order. What the body sets stays with the test.
    """
    instance = getattr(item, "instance", None)
    case = instance if isinstance(instance, unittest.TestCase) else None
    return open_harnesses.process_of(case, _surrounding(item))


def _surrounding(item: pytest.Item) -> Callable[[], AbstractContextManager[object]] | None:
    """Return what makes the context of one delivery, by the fixture `jobs_worker`; None if it is ours."""
    request: Any = getattr(item, "_request", None)
    manager: Any = item.session._fixturemanager
    if request is None or len(manager.getfixturedefs("jobs_worker", item) or ()) < 2:
        return None

    def surrounding() -> AbstractContextManager[object]:
        made = request.getfixturevalue("jobs_worker")
        if made is None:
            return nullcontext()
        # What can be entered itself is entered once only.
        is_function = callable(made) and not hasattr(made, "__enter__")
        entered: Any = made() if is_function else None
        if hasattr(entered, "__enter__") and hasattr(entered, "__exit__"):
            return _noted(entered)
        returned = f", which returned {entered!r}" if is_function else ""
        raise DeclarationError(
            f"The fixture jobs_worker gave {made!r}{returned}: it must give a function that returns a new context "
            "manager for each delivery, such as `return app.app_context`."
        )

    return surrounding


@contextmanager
def _noted(context: AbstractContextManager[object]) -> Generator[None, None, None]:
    """Enter the context of a worker, and say of its own errors where they come from."""
    of_body: BaseException | None = None
    try:
        with context:
            try:
                yield
            except BaseException as error:
                of_body = error
                raise
    except Exception as error:
        if error is not of_body:
            error.add_note(
                "The context raised this that the fixture jobs_worker gives for a delivery."
            )
        raise
