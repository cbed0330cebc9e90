"""A method that is declared a callback or a handler can be overridden like any other."""

from __future__ import annotations

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


def test_the_method_of_the_subclass_is_called(adapter):
    class Pay(ApplicationJob):
        def prepare(self):
            calls.append("prepare payment")

        def perform(self):
            pass

    Pay.perform_now()

    assert calls == ["prepare payment", "in", "tidy", "out"]


def test_a_method_declared_again_is_called_once_in_its_new_place(adapter):
    class Pay(ApplicationJob):
        @before_perform
        def prepare(self):
            calls.append("prepare payment")

        def perform(self):
            pass

    Pay.perform_now()

    assert calls == ["in", "prepare payment", "tidy", "out"]


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
