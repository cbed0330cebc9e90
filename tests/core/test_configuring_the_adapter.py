"""`configure` says where jobs go, for a block or from now on."""

from contextlib import suppress

import pytest

from pytest_jobs import configure, job
from pytest_jobs.adapters import TestAdapter
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import DeclarationError, NoAdapterError


@job
def note():
    pass


def test_an_adapter_is_in_force_for_the_block_or_until_it_is_taken_back(adapter):
    other = TestAdapter()
    with configure(adapter=other):
        note.perform_later()
    note.perform_later()
    restore = configure(adapter=other)
    note.perform_later()
    restore()
    note.perform_later()
    with suppress(KeyError), configure(adapter=other):
        raise KeyError

    assert settings.adapter is adapter
    assert (len(other.enqueued), len(adapter.enqueued)) == (2, 2)


def test_none_is_no_adapter(adapter):
    with configure(adapter=None), pytest.raises(NoAdapterError):
        note.perform_later()

    assert adapter.enqueued == []


def test_chance_can_be_replaced_with_the_adapter_and_comes_back(adapter):
    draw = settings.draw
    with configure(adapter=TestAdapter()):
        assert settings.draw is draw
    with settings.replace(adapter=adapter, draw=lambda: 0.25):
        assert settings.draw() == 0.25

    assert settings.draw is draw


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"adapter": TestAdapter},
            (
                "configure(adapter=...) is given the class TestAdapter, and takes what is made of it: write "
                "TestAdapter(...)."
            ),
        ),
        (
            {"adapter": "celery"},
            (
                "configure(adapter=...) is given 'celery', which has no now_ns and no enqueue: write "
                "RqAdapter(connection), CeleryAdapter(app) or InlineAdapter()."
            ),
        ),
        (
            {"adapter": None, "store": "redis://localhost"},
            (
                "configure(store=...) is given 'redis://localhost', which has no acquire and no release: write "
                "RedisStore(client), or MemoryStore()."
            ),
        ),
        (
            {"adapter": None, "transactions": ["default"]},
            (
                "configure(transactions=...) is given 'default', which has no open_here: write what has them, in "
                "a list."
            ),
        ),
    ],
)
def test_what_is_none_of_them_is_refused_at_the_call(given, message):
    before = settings.has_adapter
    with pytest.raises(DeclarationError) as caught:
        configure(**given)

    assert str(caught.value) == message
    assert settings.has_adapter == before


def test_what_knows_transactions_comes_in_a_list(adapter):
    class Ledger:
        def open_here(self): ...

    ledger = Ledger()
    with pytest.raises(DeclarationError) as caught:
        configure(adapter=adapter, transactions=ledger)

    assert str(caught.value) == (
        f"configure(transactions=...) is given {ledger!r}, which is not a list: write transactions=[...], "
        "with one "
        "for each library."
    )
