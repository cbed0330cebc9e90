"""A method that is declared a callback or a handler can be overridden like any other."""

from __future__ import annotations

import pytest

from pytest_jobs import (
    Job,
    after_discard,
    after_perform,
    around_perform,
    before_perform,
    rescue_from,
)

calls: list[str] = []


class ApplicationJob(Job):
    @before_perform
    def prepare(self):
        calls.append("prepare")

    @around_perform
    def surround(self):
        calls.append("in")
        yield
        calls.append("out")

    @after_perform
    def tidy(self):
        calls.append("tidy")

    @rescue_from(KeyError)
    def recover(self, error):
        return "recovered"

    @after_discard
    def give_up(self, error):
        calls.append("given up")


def setup_function():
    calls.clear()


def _prepare(self):
    calls.append("prepare payment")


@pytest.mark.parametrize(
    ("prepare", "order"),
    [
        (_prepare, ["prepare payment", "in", "tidy", "out"]),
        (before_perform(_prepare), ["in", "prepare payment", "tidy", "out"]),
    ],
    ids=["overridden", "declared again"],
)
def test_the_method_of_the_subclass_is_called_once_where_it_was_declared_last(prepare, order):
    type("Pay", (ApplicationJob,), {"prepare": prepare, "perform": lambda self: None}).perform_now()

    assert calls == order


def test_an_overridden_handler_deals_with_the_error(adapter):
    class Pay(ApplicationJob):
        def recover(self, error):
            return "recovered payment"

        def perform(self):
            raise KeyError

    assert Pay.perform_now() == "recovered payment"


def test_an_overridden_after_discard_is_called_once(adapter):
    class Pay(ApplicationJob):
        @after_discard
        def give_up(self, error):
            calls.append("payment given up")

        def perform(self):
            raise OSError

    adapter.perform(Pay.perform_later().payload)

    assert calls == ["prepare", "in", "payment given up"]
