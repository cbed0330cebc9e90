"""Mocks that a test has put in place: their calls are acts, and their counts are put back."""

from __future__ import annotations

import contextlib
import os
import subprocess
from contextvars import Context
from unittest import mock
from unittest.mock import (
    AsyncMock,
    MagicMock,
    Mock,
    PropertyMock,
    create_autospec,
    mock_open,
    patch,
)

import mocked_shop as shop
import pytest
from tables import each_row

from pytest_jobs import check_idempotent, effects, fake
from pytest_jobs.errors import CriterionError, DuplicateEffect, ExplorationError, LostEffect


def world():
    shop.db.clear()
    yield lambda: dict(shop.db)


def check(job, argument=7, **options):
    return check_idempotent(job, args=(argument,), world=world, **options)


def put(name, made=None, **options):
    return patch.object(shop, name, made or MagicMock(**options))


def once(do):
    return lambda order: shop.once(lambda: do(order))


def marked_before(do):
    """Return a job that marks itself as done, and does something then."""

    def job(order):
        if not shop.db.get("done"):
            shop.db["done"] = True
            do(order)

    return job


def write(name, mode):
    """Return what writes to a file that the test replaces."""

    def job(order):
        with open(name, mode) as file:  # noqa: PTH123 - it is what the test replaces
            file.write(str(order))

    return job


def add_in_place(order):
    if not shop.db.get("done"):
        shop.queue += [order]
        shop.db["done"] = True


# Bugs

IN_A_MODULE = {
    "an attribute of a module": (
        lambda: patch("mocked_shop.gateway"),
        shop.charge,
        r"mocked_shop\.gateway\.charge",
    ),
    "a plain Mock": (
        lambda: put("gateway", Mock()),
        shop.charge,
        r"mocked_shop\.gateway\.charge",
    ),
    "a method of an object": (
        lambda: patch("mocked_shop.gateway.charge"),
        shop.charge,
        r"mocked_shop\.gateway\.charge",
    ),
    "a method of a class": (
        lambda: patch("mocked_shop.Gateway.charge"),
        shop.charge,
        r"mocked_shop\.Gateway\.charge",
    ),
    "a method with a specification": (
        lambda: patch.object(shop.Gateway, "charge", autospec=True),
        shop.charge,
        r"mocked_shop\.Gateway\.charge",
    ),
    "a function with a specification": (
        lambda: patch("mocked_shop.total", autospec=True),
        lambda order: shop.once(lambda: shop.total(order)),
        r"mocked_shop\.total",
    ),
    "a class": (
        lambda: patch("mocked_shop.Gateway"),
        shop.charge_by_a_new_gateway,
        r"mocked_shop\.Gateway\(\)\.charge",
    ),
    "a mock that another one returns": (
        lambda: patch("mocked_shop.Gateway", return_value=Mock()),
        shop.charge_by_a_new_gateway,
        r"mocked_shop\.Gateway\(\)\.charge",
    ),
    "a class with a specification": (
        lambda: patch("mocked_shop.Gateway", autospec=True),
        shop.charge_by_a_new_gateway,
        r"mocked_shop\.Gateway\(\)\.charge",
    ),
    "an object of a specification": (
        lambda: put("gateway", create_autospec(shop.Gateway, instance=True)),
        shop.charge,
        r"mocked_shop\.gateway\.charge",
    ),
    "an attribute of an object": (
        lambda: patch.object(shop.service, "client", Mock()),
        shop.charge_by_the_service,
        r"mocked_shop\.service\.client\.charge",
    ),
    "a library": (
        lambda: patch.dict("sys.modules", stripe=MagicMock()),
        shop.charge_by_a_library,
        r"stripe\.Charge\.create",
    ),
    "nested attributes": (
        lambda: put("gateway"),
        shop.create_nested,
        r"mocked_shop\.gateway\.v1\.charges\.create",
    ),
    "what a block returns": (
        lambda: patch("mocked_shop.Session"),
        shop.post_in_a_session,
        r"mocked_shop\.Session\(\)\.__enter__\(\)\.post",
    ),
    "a queue": (lambda: put("queue"), shop.put_in_a_queue, r"mocked_shop\.queue\.put"),
    "a method that looks like one that reads": (
        lambda: put("crm"),
        shop.check_in,
        r"mocked_shop\.crm\.check_in",
    ),
    "a request that posts": (
        lambda: put("gateway"),
        lambda order: shop.once(lambda: shop.gateway.request("POST", "/orders")),
        r"mocked_shop\.gateway\.request",
    ),
    "a stream that posts": (
        lambda: put("gateway"),
        lambda order: shop.once(lambda: shop.gateway.stream("POST", "/orders")),
        r"mocked_shop\.gateway\.stream",
    ),
    "an object without a text": (
        lambda: put("gateway"),
        shop.charge_an_object,
        r"mocked_shop\.gateway\.charge",
    ),
    "an operator that assigns": (lambda: put("queue"), add_in_place, r"mocked_shop\.queue \+="),
    "an operator": (
        lambda: put("queue"),
        once(lambda order: shop.queue << order),
        r"mocked_shop\.queue <<",
    ),
    "a method that creates something, although another one follows": (
        lambda: put("gateway"),
        once(shop.create_and_confirm),
        r"mocked_shop\.gateway\.orders\.create",
    ),
    "a file that gets more": (
        lambda: patch("builtins.open", mock_open()),
        once(write("audit.log", "a")),
        r"builtins\.open\(\)\.write",
    ),
    # In the place of what an effect source watches.
    "a function that starts another one": (
        lambda: patch("subprocess.run"),
        once(lambda order: subprocess.run(["lp", str(order)], check=True)),
        r"subprocess\.run",
    ),
    "a watched function with a specification": (
        lambda: patch("subprocess.run", autospec=True),
        once(lambda order: subprocess.run(["lp", str(order)], check=True)),
        r"subprocess\.run",
    ),
    "a class that starts": (
        lambda: patch("subprocess.Popen"),
        once(lambda order: subprocess.Popen(["lp", str(order)]).communicate()),
        r"subprocess\.Popen\(\)\.communicate",
    ),
    "a function in C": (
        lambda: patch("os.system"),
        once(lambda order: os.system(f"lp {order}")),
        r"os\.system",
    ),
    "a stub that is no mock": (
        lambda: patch("subprocess.run", lambda *args, **options: None),
        once(lambda order: subprocess.run(["lp", str(order)], check=True)),
        r"subprocess\.lp",
    ),
}


@pytest.mark.parametrize(("double", "job", "what"), IN_A_MODULE.values(), ids=IN_A_MODULE)
def test_what_a_mock_gets_twice_is_a_duplicate_by_the_name_of_its_place(double, job, what):
    with double(), pytest.raises(DuplicateEffect, match=rf"DUPLICATE {what} \[crash"):
        check(job)


def test_a_mock_that_was_started_has_the_name_that_the_test_gave():
    started = patch("mocked_shop.gateway.charge")
    started.start()
    try:
        with pytest.raises(DuplicateEffect, match=r"DUPLICATE mocked_shop\.gateway\.charge"):
            check(shop.charge)
    finally:
        started.stop()


def test_a_mock_that_lies_in_no_module_has_its_own_name():
    paid = Mock(name="hooks.paid")

    def hooked():
        shop.db.clear()
        shop.db["hooks"] = {"paid": paid}
        yield lambda: {"done": shop.db.get("done")}

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE hooks\.paid"):
        check_idempotent(shop.call_what_it_gets, args=(7,), world=hooked)


def test_lazy_objects_of_modules_are_not_built_to_find_the_place_of_a_mock(monkeypatch):
    class Lazy:
        @property
        def __class__(self):
            raise LookupError("built too early")

        @property
        def __dict__(self):
            raise LookupError("built too early")

    monkeypatch.setattr(shop, "lazy", Lazy(), raising=False)

    with (
        patch("mocked_shop.gateway.charge"),
        pytest.raises(DuplicateEffect, match=r"DUPLICATE mocked_shop\.gateway\.charge"),
    ):
        check(shop.charge)


LOST = {
    "a call": (lambda: put("send_sms"), shop.mark_and_text, r"mocked_shop\.send_sms"),
    "an item": (
        lambda: put("gateway"),
        marked_before(lambda order: shop.gateway.__setitem__("order", order)),
        r"mocked_shop\.gateway\.__setitem__",
    ),
    "an attribute": (
        lambda: put("gateway"),
        marked_before(lambda order: setattr(shop.gateway, "retries", 3)),
        r"mocked_shop\.gateway\.retries",
    ),
    "an attribute that goes": (
        lambda: put("gateway"),
        marked_before(lambda order: delattr(shop.gateway, "retries")),
        r"mocked_shop\.gateway del retries",
    ),
    "a file": (
        lambda: patch("builtins.open", mock_open()),
        marked_before(write("report.txt", "w")),
        r"builtins\.open\(\)\.write",
    ),
}


@pytest.mark.parametrize(("double", "job", "what"), LOST.values(), ids=LOST)
def test_what_a_mock_never_gets_is_lost(double, job, what):
    with double(), pytest.raises(LostEffect, match=rf"LOST {what} \[crash"):
        check(job)


def test_a_mock_in_the_world_is_like_one_of_the_test():
    def mocked():
        shop.db.clear()
        with put("gateway"):
            yield lambda: dict(shop.db)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mocked_shop\.gateway\.charge"):
        check_idempotent(shop.charge, args=(7,), world=mocked)


@pytest.mark.parametrize(
    "mailer",
    [
        lambda: patch("mocked_shop.mailer.send"),
        lambda: patch("mocked_shop.mailer", autospec=True),
        lambda: patch.object(shop.mailer, "send", AsyncMock()),
    ],
    ids=["by the function", "by the object", "AsyncMock"],
)
def test_a_coroutine_mock_has_its_effect_when_it_is_awaited(mailer):
    with mailer(), pytest.raises(DuplicateEffect, match=r"DUPLICATE mocked_shop\.mailer\.send"):
        check(shop.mail)
    with mailer(), pytest.raises(LostEffect, match=r"LOST mocked_shop\.mailer\.send"):
        check(shop.mail_both_and_swallow, histories=["effect_fails"])


def test_nothing_is_called_on_the_code_that_a_coroutine_mock_shows():
    with patch("mocked_shop.notify"), pytest.raises(DuplicateEffect) as found:
        check(shop.tell)

    assert "DUPLICATE mocked_shop.notify" in str(found.value)
    assert "__code__" not in str(found.value)


def test_a_plain_mock_that_answers_by_coroutines_has_its_effect_when_it_is_awaited():
    async def send(to, text):
        return "sent"

    with patch.object(shop.mailer, "send", Mock(side_effect=send)), pytest.raises(LostEffect):
        check(shop.mail_both_and_swallow, histories=["effect_fails"])


def test_an_object_of_a_library_is_shown_by_its_class():
    class Pool:
        pass

    Pool.__module__ = "pytest"
    with put("gateway"), pytest.raises(DuplicateEffect) as found:
        check(lambda order: shop.once(lambda: shop.gateway.charge(order, Pool())))

    assert "2 x ('charge', 7, '<Pool>')" in str(found.value)


class Application:
    """As that of Flask: with a text of its own, data, and a way to everything that there is."""

    def __init__(self):
        self.name, self.config, self.views = "shop", {"debug": False}, [shop]

    def __repr__(self):
        return "<Application>"


class Proxy:
    """As `current_app` of Flask, which is whatever it leads to."""

    def __init__(self, target):
        object.__setattr__(self, "_target", target)

    def __getattribute__(self, name):
        return getattr(object.__getattribute__(self, "_target"), name)

    def __eq__(self, other):
        return object.__getattribute__(self, "_target") == other

    __hash__ = None

    def __repr__(self):
        return repr(object.__getattribute__(self, "_target"))


@pytest.mark.parametrize("lead", [lambda it: it, Proxy])
def test_an_object_of_a_library_that_equals_no_other_is_compared_by_its_text_and_data(
    monkeypatch, lead
):
    monkeypatch.setattr(Application, "__module__", "pytest")
    application = lead(Application())
    with put("gateway"), pytest.raises(DuplicateEffect) as found:
        check(lambda order: shop.once(lambda: shop.gateway.charge(order, application)))

    what = "('<Application>', {'config': {'debug': False}, 'name': 'shop'})"
    assert f"2 x ('charge', 7, {what})" in str(found.value)


def test_a_coroutine_mock_in_a_fake_has_its_effect_when_it_is_awaited():
    def faked():
        shop.db.clear()
        with fake(shop, "mailer", AsyncMock()):
            yield lambda: dict(shop.db)

    with pytest.raises(LostEffect, match=r"LOST mailer\.send"):
        check_idempotent(
            shop.mail_both_and_swallow, args=(7,), world=faked, histories=["effect_fails"]
        )


def test_a_fake_may_be_a_mock():
    def faked():
        shop.db.clear()
        with fake(shop, "gateway", Mock()) as gateway:
            yield lambda: {"charges": gateway.calls}

    with pytest.raises(DuplicateEffect) as found:
        check_idempotent(shop.charge, args=(7,), world=faked)

    assert "2 x ('charge', 7)" in str(found.value)
    assert "mocked_shop.gateway" not in str(found.value)


# What is safe


def read_the_queue(order):
    shop.queue |= {order}
    with shop.queue as entered:
        shop.db["seen"] = [*entered, *shop.queue], len(shop.queue), order in shop.queue


SAFE = {
    "a key": (lambda: put("gateway"), shop.charge_by_key),
    "a key in a header": (lambda: put("gateway"), shop.charge_by_a_key_in_a_header),
    "a look-up": (
        lambda: put("crm", **{"get_customer.return_value": {"name": "Ann"}}),
        shop.name_and_tag,
    ),
    "a put": (lambda: put("storage"), shop.upload),
    "a request that reads": (
        lambda: put("gateway"),
        lambda order: shop.db.update(rates=bool(shop.gateway.request("GET", "/rates"))),
    ),
    "a client that a block enters": (
        lambda: put("gateway"),
        shop.get_in_a_session,
    ),
    "a statement that reads": (
        lambda: put("gateway"),
        lambda order: shop.db.update(rows=bool(shop.gateway.execute("select 1"))),
    ),
    "headers of a client": (
        lambda: put("gateway"),
        lambda order: (
            shop.gateway.headers.update({"X-Order": order}),
            shop.gateway.charge(order, idempotency_key=order),
        ),
    ),
    "a stream that is read": (
        lambda: put("gateway"),
        lambda order: shop.db.update(rows=[*shop.gateway.stream("/rates")]),
    ),
    "an item with another value in each delivery": (
        lambda: put("gateway"),
        shop.charge_with_a_request_id,
    ),
    "a request that puts": (
        lambda: put("gateway"),
        lambda order: shop.gateway.request("PUT", f"/orders/{order}"),
    ),
    "a file that is written anew": (
        lambda: patch("builtins.open", mock_open()),
        lambda order: (write("report.txt", "w")(order), shop.db.update(done=True)),
    ),
    "an item and an attribute that are set again": (
        lambda: put("gateway"),
        lambda order: (
            shop.gateway.__setitem__("order", order),
            setattr(shop.gateway, "retries", 3),
            shop.db.update(done=True),
        ),
    ),
    "operators that only read": (lambda: put("queue"), read_the_queue),
}


@pytest.mark.parametrize(("double", "job"), SAFE.values(), ids=SAFE)
def test_what_may_be_repeated_is_safe(double, job):
    with double():
        check(job)


def test_logs_settings_and_sleep_are_nothing():
    with put("logger"), put("settings"), patch("time.sleep"), put("gateway"):
        explored = check(shop.log_and_charge, histories=["twice", "crash"])

    acts = [act.kind for act in explored.explorations[0].reference.point_acts if act is not None]
    assert acts == ["mocked_shop.gateway"] * 2


def test_a_mock_that_passes_its_calls_on_is_no_act():
    with put("gateway"), put("total", Mock(wraps=shop.total)) as total:
        explored = check(shop.charge_the_total, histories=["twice", "crash"])

        total.assert_not_called()
    assert not any("mocked_shop: total" in str(point) for point in explored.explorations[0].points)


def test_a_wrapped_service_with_a_mock_inside_has_one_effect():
    def wrapped():
        shop.db.clear()
        with patch.object(shop.gateway, "charge"), effects.wrap(shop, "gateway", name="bank"):
            yield lambda: dict(shop.db)

    with pytest.raises(DuplicateEffect) as found:
        check_idempotent(shop.charge, args=(7,), world=wrapped)

    assert "DUPLICATE bank.charge" in str(found.value)
    assert "mocked_shop.gateway" not in str(found.value)


def test_an_argument_key_is_the_key_of_a_call_and_the_result_says_so():
    with put("gateway"):
        explored = check(
            lambda order: shop.once(lambda: shop.gateway.charge(order, key="k")),
            histories=["twice", "crash"],
        )

    assert explored.guesses == ("mocked_shop.gateway.charge (once for each key=)",)


def test_an_argument_key_behind_a_named_one_is_the_key_of_a_call():
    with put("gateway"):
        check(
            lambda order: shop.once(lambda: shop.gateway.charge(order=order, key="k")),
            histories=["crash"],
        )


@each_row(
    "call",
    [
        lambda order: shop.crm.increment(order, key="k"),
        lambda order: shop.crm.note(key="k", text="paid"),
        # The part of a topic to which a message goes.
        lambda order: shop.crm.send("orders", key="k", value=order),
        lambda order: shop.crm.producer.send("orders", order, key="k"),
    ],
)
def test_an_argument_key_may_name_what_the_call_is_about(call):
    with put("crm"), pytest.raises(DuplicateEffect):
        check(lambda order: shop.once(lambda: call(order)), histories=["crash"])


# What the test says of them


def test_a_test_says_that_a_mock_is_no_effect():
    with put("gateway"):
        check(
            shop.charge,
            mocks={"mocked_shop.gateway.charge": "nothing"},
            histories=["twice", "crash"],
        )


def test_a_test_says_that_a_mock_may_be_repeated_by_a_pattern():
    with put("gateway"):
        check(shop.charge, mocks={"mocked_shop.gateway.*": "put"}, histories=["twice", "crash"])


def test_a_test_says_that_a_look_up_is_an_effect():
    with put("crm"), pytest.raises(DuplicateEffect, match=r"crm\.get_customer"):
        check(shop.look_up, mocks={"*.get_customer": "effect"})


def test_a_name_of_a_mock_that_the_job_does_not_call_is_refused():
    with (
        put("gateway"),
        pytest.raises(
            ExplorationError,
            match=r"mocks= names 'shop\.charge', and the job calls no double of this name and sends no such "
            r"request\. Did you mean 'mocked_shop\.gateway\.charge'\? It calls: mocked_shop\.gateway\.charge\.",
        ),
    ):
        check(shop.charge_by_key, mocks={"shop.charge": "nothing"})


@pytest.mark.parametrize(
    ("mocks", "refused"),
    [
        ({"shop.charge": "efect"}, "a call of a mock must be one of effect, put, read, nothing"),
        (["shop.charge"], "mocks must be a mapping of the names of mocks"),
    ],
)
def test_what_a_mock_cannot_be_is_refused(mocks, refused):
    with pytest.raises(CriterionError, match=refused):
        check(shop.charge, mocks=mocks)


def test_a_check_that_passes_names_the_mocks_that_it_did_not_count():
    with put("crm", **{"get_customer.return_value": {"name": "Ann"}}):
        explored = check(shop.name_and_tag, histories=["twice", "crash"])

    assert (
        "Calls that do not count, by their names (mocks= changes it): "
        "mocked_shop.crm.get_customer (read)."
    ) in str(explored)


def test_a_job_that_only_looks_something_up_shows_nothing():
    with put("crm"), pytest.raises(ExplorationError, match="changes nothing that the world shows"):
        check(shop.look_up)


# What is left behind


def test_the_counts_of_a_mock_are_those_of_the_test():
    with put("gateway") as gateway:
        gateway.charge(1)
        before = list(gateway.mock_calls), list(gateway.method_calls)
        check(shop.charge_by_key, histories=["twice", "crash"])

        gateway.charge.assert_called_once_with(1)
        assert (gateway.mock_calls, gateway.method_calls) == before


def test_the_counts_of_a_function_with_a_specification_are_those_of_the_test():
    with patch("mocked_shop.total", autospec=True) as total:
        check(shop.add_up, mocks={"*.total": "put"}, histories=["twice", "crash"])

        total.assert_not_called()
        assert total.mock_calls == []


def test_the_counts_of_a_coroutine_mock_are_those_of_the_test():
    with patch.object(shop.mailer, "send", AsyncMock()) as send:
        check(shop.mail, mocks={"*.send": "nothing"}, histories=["twice", "crash"])

        send.assert_not_awaited()
        send.assert_not_called()


def test_a_state_shows_what_a_mock_got_in_its_history():
    def shown():
        shop.db.clear()
        yield lambda: {"sent": [call.args for call in shop.gateway.charge.call_args_list]}

    with put("gateway"), pytest.raises(DuplicateEffect):
        check_idempotent(shop.charge, args=(7,), world=shown)


def test_a_call_that_is_refused_is_not_counted():
    counted = []

    def counting():
        shop.db.clear()
        yield lambda: {"done": shop.db.get("done")}
        counted.append(shop.gateway.charge.call_count)

    def charge_once_more(order):
        try:
            shop.gateway.charge(order)
        except ConnectionError:
            shop.gateway.charge(order)

    with put("gateway"):
        check_idempotent(
            charge_once_more,
            args=(7,),
            world=counting,
            histories=["effect_fails"],
        )

    assert set(counted) == {1}


@pytest.mark.parametrize("spec", [None, True])
@pytest.mark.parametrize("kind", [list, lambda answers: (one for one in answers)])
def test_each_delivery_gets_the_answers_of_an_iterator_from_the_first(spec, kind):
    answers = [ConnectionError(), {"EUR": 1.1}]
    with patch("mocked_shop.fetch_rates", autospec=spec, side_effect=kind(answers)) as rates:
        check_idempotent(shop.rates_of_the_second_try, world=world)

        with pytest.raises(ConnectionError):
            rates()
        assert rates() == {"EUR": 1.1}


def test_a_coroutine_mock_gives_each_delivery_its_answers_from_the_first():
    async def mail_at_the_second_try(user):
        for _ in range(3):
            with contextlib.suppress(ConnectionError):
                shop.db["mail"] = await shop.mailer.send(user, "hello")
                return

    answers = [ConnectionError(), "sent"]
    with patch.object(shop.mailer, "send", AsyncMock(side_effect=answers)):
        check(mail_at_the_second_try, mocks={"*.send": "put"})


def test_the_lines_of_a_function_that_answers_are_one_step():
    with patch("mocked_shop.fetch_rates", side_effect=lambda: shop.total(7)):
        explored = check(
            lambda order: shop.db.update(rates=shop.fetch_rates()), histories=["twice", "crash"]
        )

    assert not any(point.function == "total" for point in explored.explorations[0].points)


@pytest.mark.wide
def test_what_hears_of_mocks_stays_between_checks_and_ends_with_the_session(pytester):
    pytester.makepyfile(
        conftest="""
        from unittest import mock
        import pytest

        def of_mocks():
            return [
                vars(mock.CallableMixin)["__call__"],
                vars(mock.NonCallableMock)["__setattr__"],
                vars(mock._patch)["__enter__"],
                vars(pytest.MonkeyPatch)["__init__"],
            ]

        before = of_mocks()

        def pytest_unconfigure():
            print("as before:", of_mocks() == before)
        """,
        test_gateway="""
        from unittest.mock import Mock, patch
        import pytest
        from conftest import of_mocks
        from pytest_jobs import check_idempotent
        from pytest_jobs.errors import NotIdempotent

        class Shop:
            gateway = None

        def charge(order):
            Shop.gateway.charge(order)

        kept = []

        @pytest.mark.parametrize("number", (1, 2))
        def test_a_check(number):
            with patch.object(Shop, "gateway", Mock()), pytest.raises(NotIdempotent):
                check_idempotent(charge, args=(number,))
            kept.append(of_mocks())

        def test_they_are_the_same_and_do_nothing_else():
            assert kept[0] == kept[1] == of_mocks()
            gateway = Mock()
            gateway.charge(7)
            gateway.answer = 3
            assert gateway.mock_calls == [(("charge"), (7,), {})]

        def test_what_a_test_puts_over_them_is_called_in_its_check(monkeypatch):
            genuine, called = Mock.__call__, []

            def call(self, *args, **kwargs):
                called.append(args)
                return genuine(self, *args, **kwargs)

            monkeypatch.setattr("unittest.mock.CallableMixin.__call__", call)
            with patch.object(Shop, "gateway", Mock()), pytest.raises(NotIdempotent):
                check_idempotent(charge, args=(3,))
            assert (3,) in called
        """,
    )

    result = pytester.runpytest_subprocess("-q", "-s", "-p", "no:randomly")

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*as before: True"])


def test_without_a_session_a_check_leaves_mocks_as_they_were():
    def call_of_mocks():
        return vars(mock.CallableMixin)["__call__"]

    before = call_of_mocks()
    seen = []

    def watched():
        shop.db.clear()
        seen.append(call_of_mocks())
        yield lambda: dict(shop.db)

    with put("gateway"):
        Context().run(check_idempotent, shop.charge_by_key, args=(7,), world=watched)

    assert call_of_mocks() is before
    assert before not in seen


def test_a_class_with_a_specification_that_hides_a_library_is_refused():
    with (
        patch("subprocess.Popen", autospec=True),
        pytest.raises(
            ExplorationError,
            match=r"mock in the place of subprocess\.Popen, so .* Put the mock where the project has the name",
        ),
    ):
        check(lambda order: subprocess.run(["lp", str(order)], check=True))


# Attributes


def test_a_test_says_that_an_attribute_of_a_mock_is_nothing():
    with put("gateway"):
        check(
            marked_before(lambda order: setattr(shop.gateway, "retries", 3)),
            mocks={"mocked_shop.gateway.retries": "nothing"},
            histories=["twice", "crash"],
        )


def test_the_attributes_of_a_mock_are_those_of_the_test():
    def changes(order):
        shop.gateway.retries = order
        shop.gateway.timeout = order
        if hasattr(shop.gateway, "host"):
            del shop.gateway.host

    with put("gateway", MagicMock(retries=1)) as gateway:
        host = gateway.host
        check(changes, histories=["twice", "crash"])

        assert gateway.retries == 1
        assert gateway.host is host
        assert isinstance(gateway.timeout, MagicMock)


class Lamp:
    power = None


def test_a_property_of_a_mock_is_read_without_an_effect_and_set_with_one():
    with (
        put("gateway", Lamp()),
        patch.object(Lamp, "power", new_callable=PropertyMock, return_value=1) as power,
    ):
        check(lambda order: shop.db.update(power=[shop.gateway.power, shop.gateway.power]))
        with pytest.raises(LostEffect, match=r"LOST \S*Lamp\.power \[crash"):
            check(marked_before(lambda order: setattr(shop.gateway, "power", 2)))

        power.assert_not_called()
