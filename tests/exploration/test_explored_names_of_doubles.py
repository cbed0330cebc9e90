"""What a call of a double counts as, by its name: one table for mocks, fakes, wrapped services and stubs."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from unittest.mock import patch

import mocked_shop as shop
import pytest

from pytest_jobs import check_idempotent, effects, fake

#: By what the call is: the calls, as a job writes them on its service.
CALLS = {
    "read": (
        *(
            "list_product(7)",
            "count_vote(7)",
            "get_paid(7)",
            "is_paid(7)",
            "has_paid(7)",
            "ping(7)",
        ),
        *("verify(7)", "download(7)", "query(7)", "scan(7)", "select(7)", "show(7)", "view(7)"),
        *("peek(7)", "poll(7)", "dao_get_user(7)", "dao_find_all(7)", "request('GET', '/')"),
        *("execute('select 1')", "load_order(7)"),
    ),
    "put": (
        *("delete_subscription(7)", "set_balance(7, 10)", "replace_card(7)", "put('a', 'x')"),
        *("upload('a', b'x')", "index('a', 'x')", "dao_delete_user(7)", "request('PUT', '/')"),
        *("update_by_id(7, {'deleted': True})", "update_user(7, name='Ann')", "update({'a': 1})"),
        *("remove_item(7)", "update_one(7, {'$set': {'paid': 3}})"),
    ),
    "nothing": ("connect()", "login('u', 'p')", "commit()", "close()", "acquire(True, timeout=3)"),
    "effect": (
        *(
            "get_or_create_customer(7)",
            "load_funds(7)",
            "check_in(7)",
            "check_out(7)",
            "fetch_and_lock(7)",
        ),
        *("read_and_ack(7)", "find_and_charge(7)", "search_and_replace(7)", "commit('token')"),
        *("close(8)", "commit_payment(7)", "close_account(7)", "close_ticket(7)", "flush(7)"),
        *("log_sale(7)", "record(7)", "track(7)", "increment(7)", "observe(7)", "resolve(7)"),
        *("lookup_and_bill(7)", "add(7)", "append(7)", "register(7)", "subscribe(7)", "acquire(7)"),
        *("remove_credit(7)", "remove_points(7)", "remove(7, 10)", "delete(Decimal('9.5'))"),
        *("put('a', 10)", "remove_seats(7, amount=2)", "put_on_queue(7)", "upload_rows(7)"),
        *("update_stock(7, -1)", "update_account(7)", "update_one(7, {'$inc': {'paid': 3}})"),
        *("create_session(7)", "build_invoice(7)", "make_payment(7)", "init_transfer(7)"),
        *("start(7)", "refresh_token(7)", "validate_and_capture(7)", "export(7)", "pop(7)"),
        *("next(7)", "take(7)", "reserve(7)", "claim(7)", "allocate(7)", "request('POST', '/')"),
        *("notify_list(7)", "send_get_request(7)", "releaseFunds(7)"),
    ),
}


class Service:
    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def a_mock():
    return patch("mocked_shop.crm")


def a_fake():
    return fake(shop, "crm", Service(), name="mocked_shop.crm")


@contextmanager
def a_wrapped_service():
    with a_stub(), effects.wrap(shop, "crm", name="mocked_shop.crm"):
        yield


@contextmanager
def a_stub():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shop, "crm", Service())
        yield


def guesses_of(double, calls):
    """Return what the calls count as, as the result of a check prints it."""

    def world():
        shop.db.clear()
        with double():
            yield lambda: dict(shop.db)

    def call_all():
        for call in calls:
            eval(f"shop.crm.{call}", {"shop": shop, "Decimal": Decimal})

    explored = check_idempotent(lambda: shop.once(call_all), world=world, histories=["twice"])
    return {guess.removeprefix("mocked_shop.crm.") for guess in explored.guesses}


@pytest.mark.parametrize("double", [a_mock, a_fake, a_wrapped_service, a_stub])
def test_one_table_of_names_says_of_each_double_what_its_calls_count_as(double):
    # By themselves: a name may be in two lists, with other arguments.
    for kind, calls in CALLS.items():
        names = {call.partition("(")[0] for call in calls}
        guessed = set() if kind == "effect" else {f"{name} ({kind})" for name in names}

        assert guesses_of(double, calls) == guessed


@pytest.mark.parametrize("double", [a_mock, a_fake, a_wrapped_service, a_stub])
def test_mocks_says_of_each_double_what_its_calls_count_as(double):
    def world():
        shop.db.clear()
        with double():
            yield lambda: dict(shop.db)

    explored = check_idempotent(
        lambda: (shop.crm.get_order(7), shop.crm.tag(7)),
        world=world,
        histories=["crash"],
        mocks={"mocked_shop.crm.t*": "put"},
    )

    assert explored.guesses == ("mocked_shop.crm.get_order (read)",)
