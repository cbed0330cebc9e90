"""After a transport a job's class is found by its name, or the payload is kept."""

import gc
import importlib
import json
import sys

import pytest

from pytest_jobs import Job, Payload
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.errors import AmbiguousJobError, UnknownJobError


def _payload(name):
    return Payload.from_dict(
        {
            "format": 1,
            "job": name,
            "job_id": "id",
            "queue": "default",
            "priority": None,
            "arguments": [[7], {}],
            "attempt": 1,
            "failures": {},
            "enqueued_ns": 0,
            "due_ns": None,
            "headers": {},
        }
    )


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return a function that writes a module; what was imported is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name, source):
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        importlib.invalidate_caches()
        return path

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]
    gc.collect()


SHOP = """
from pytest_jobs import Job, job, later, reference

class Pay(Job):
    def perform(self, amount):
        return f"paid {amount}"

class Outer:
    class Pay(Job):
        def perform(self, amount):
            return f"outer {amount}"

@job
def ship(order_id):
    return f"shipped {order_id}"
"""


@pytest.mark.parametrize("place", ["warehouse_jobs", "warehouse.jobs"])
@pytest.mark.parametrize(
    ("name", "result"), [("Pay", "paid 7"), ("Outer.Pay", "outer 7"), ("ship", "shipped 7")]
)
def test_the_module_of_a_job_is_imported_when_it_is_needed(adapter, module, place, name, result):
    if "." in place:
        module("warehouse.__init__", "")
    module(place, SHOP)

    execution = adapter.perform(_payload(f"{place}.{name}"))

    assert (execution.status, execution.result) == ("performed", result)


@pytest.mark.parametrize(
    "name",
    [
        *("nowhere.jobs.Gone", "warehouse_jobs.Gone", "warehouse_jobs.Outer.Gone", "Gone"),
        *("json.Gone", "", ".", "..Gone", "nowhere.make.<locals>.Gone"),
    ],
)
def test_a_job_that_is_gone_is_a_failed_execution_and_its_payload_is_kept(adapter, module, name):
    module("warehouse_jobs", SHOP)
    payload = _payload(name)

    execution = adapter.perform(payload)

    assert (execution.status, execution.handled) == ("failed", False)
    assert type(execution.error) is UnknownJobError
    assert str(execution.error) == (
        f"No job is named {name!r}. It was moved or renamed while its jobs were waiting: keep the old name as an "
        "alias until they are done. A payload has a module imported only if the text of the module declares the "
        "job: where it does not, import the module where the worker starts."
    )
    (letter,) = adapter.dead
    assert (letter.payload, letter.status, letter.error) == (payload, "failed", execution.error)
    assert payload.arguments == "[[7],{}]"


def test_a_class_that_was_deleted_is_gone(adapter, module):
    module("warehouse_jobs", SHOP)
    warehouse_jobs = importlib.import_module("warehouse_jobs")
    data = json.dumps(warehouse_jobs.Pay.perform_later(7).payload.to_dict())
    adapter.clear()
    del warehouse_jobs.Pay
    gc.collect()

    execution = adapter.perform(Payload.from_dict(json.loads(data)))

    assert type(execution.error) is UnknownJobError


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import nowhere", ModuleNotFoundError),
        ("from json import nowhere", ImportError),
        ("1 +", SyntaxError),
        ("1 / 0", ZeroDivisionError),
    ],
)
def test_a_module_that_cannot_be_imported_fails_the_job_and_keeps_its_payload(
    adapter, module, source, error
):
    module("broken_jobs", f"{source}\n{SHOP}")
    payload = _payload("broken_jobs.Pay")

    execution = adapter.perform(payload)

    assert (execution.status, type(execution.error), execution.handled) == ("failed", error, False)
    assert [letter.payload for letter in adapter.dead] == [payload]


def test_a_reloaded_module_does_not_make_its_jobs_ambiguous(adapter, module):
    # A name of its own: the adapter keeps the classes of this module alive into the next test.
    path = module("reloaded_jobs", SHOP)
    reloaded_jobs = importlib.import_module("reloaded_jobs")
    path.write_text(SHOP.replace("paid", "paid again:"))
    importlib.invalidate_caches()
    importlib.reload(reloaded_jobs)

    job = reloaded_jobs.Pay.perform_later(7)

    assert job.payload.to_dict()["job"] == "reloaded_jobs.Pay"
    assert adapter.perform(_payload("reloaded_jobs.Pay")).result == "paid again: 7"


def test_of_classes_that_share_a_name_the_one_that_a_loaded_module_has_can_be_asked_for(module):
    name = "twice_named.Pay"
    path = module("twice_named", SHOP)
    twice_named = importlib.import_module("twice_named")
    first = twice_named.Pay
    path.write_text(SHOP.replace("paid", "paid again:"))
    importlib.reload(twice_named)

    assert name in ReferenceBridge().known_names()

    del sys.modules["twice_named"]
    assert name not in ReferenceBridge().known_names()
    assert first is not twice_named.Pay


def _twins(name):
    return [
        type(name, (Job,), {"perform": lambda self, value: value, "__module__": __name__})
        for _ in range(2)
    ]


def test_two_classes_of_one_name_or_inside_a_function_are_performed_here_and_not_transported(
    adapter,
):
    class Pay(Job):
        def perform(self, value):
            return value

    twins = _twins("Sent")
    for each, error, said in (
        (
            Pay,
            UnknownJobError,
            (
                f"{Pay.__module__}.{Pay.__qualname__} was defined inside a function, so no worker can find it by "
                "its name: define it at the top of a module."
            ),
        ),
        (
            twins[0],
            AmbiguousJobError,
            (
                f"2 job classes are named '{__name__}.Sent', so a payload cannot say which it means: rename all "
                "but one."
            ),
        ),
    ):
        payload = each.perform_later(7).payload
        with pytest.raises(error) as raised:
            payload.to_dict()
        assert str(raised.value) == said
    assert [execution.result for execution in adapter.perform_due()] == [7, 7]


def test_a_class_that_is_gone_does_not_make_its_name_ambiguous(adapter):
    first, second = _twins("Renamed")
    del second

    assert first.perform_later(1).payload.to_dict()["job"] == f"{__name__}.Renamed"


def test_a_transported_name_that_two_classes_have_fails_the_job_and_keeps_its_payload(adapter):
    twins = _twins("Received")
    payload = _payload(f"{__name__}.Received")

    execution = adapter.perform(payload)

    assert len(twins) == 2
    assert (execution.status, execution.handled) == ("failed", False)
    assert type(execution.error) is AmbiguousJobError
    assert str(execution.error).startswith("2 job classes are named ")
    assert [letter.payload for letter in adapter.dead] == [payload]


@pytest.mark.parametrize(
    ("alias", "name", "result"),
    [
        ("from warehouse_jobs import Pay", "Pay", "paid 7"),
        ("import warehouse_jobs\nPay = warehouse_jobs.Outer.Pay", "Pay", "outer 7"),
        ("from warehouse_jobs import ship as Pay", "Pay", "shipped 7"),
        ("class Outer:\n    from warehouse_jobs import Pay\nPay = Outer.Pay", "Pay", "paid 7"),
        ("class Outer:\n    from warehouse_jobs import Pay\n", "Outer.Pay", "paid 7"),
    ],
)
def test_an_old_name_may_go_on_as_an_alias(adapter, module, alias, name, result):
    module("warehouse_jobs", SHOP)
    module("old_jobs", alias)

    assert adapter.perform(_payload(f"old_jobs.{name}")).result == result


@pytest.mark.parametrize("value", ["7", "print", "int", "type('Odd', (), {'job_class': int})"])
def test_what_is_no_job_is_no_alias(adapter, module, value):
    module("old_jobs", f"Pay = {value}")

    assert type(adapter.perform(_payload("old_jobs.Pay")).error) is UnknownJobError
