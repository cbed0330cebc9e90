"""A payload is data from outside: it is refused in words, and has only modules of jobs imported."""

import json
import sys

import pytest
from hypothesis import given, settings, strategies as st

from pytest_jobs import Payload
from pytest_jobs.core.arguments.encoding import decode
from pytest_jobs.core.arguments.records import RecordReference, references
from pytest_jobs.errors import DeserializationError, JobsError, UnknownJobError

VALID = {
    "format": 1,
    "job": "shop.Pay",
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
#: The same few values in each run: a run is to be fast, and to say the same tomorrow.
FEW = settings(max_examples=60, derandomize=True, database=None)


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Return a function that writes modules, performs a payload that names a job, and says which were imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def perform(name, adapter, modules):
        for module, text in modules.items():
            path = tmp_path / f"{module.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        before = set(sys.modules)
        try:
            execution = adapter.perform(Payload.from_dict({**VALID, "job": name}))
            return execution, set(sys.modules) - before
        finally:
            for module in set(sys.modules) - before:
                del sys.modules[module]

    return perform


RUNS = "raise SystemExit('this module was run')\n"


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("antigravity.Pay", {}),
        ("this.s", {}),
        ("hostile_script.Pay", {"hostile_script": f"class Pay: ...\n{RUNS}"}),
        ("hostile_script.main", {"hostile_script": f"import os\ndef main(): os.abort()\n{RUNS}"}),
        ("hostile.deep.Pay", {"hostile.__init__": RUNS, "hostile.deep": RUNS}),
        ("hostile_cycle.Pay", {"hostile_cycle": f"Pay = Pay\n{RUNS}"}),
        ("hostile_stars.Pay", {"hostile_stars": f"from json import *\n{RUNS}"}),
        (
            "hostile_one.Pay",
            {
                "hostile_one": f"from hostile_two import Pay\n{RUNS}",
                "hostile_two": "import hostile_one\nPay = 1",
            },
        ),
    ],
)
def test_a_payload_imports_no_module_that_declares_no_job(adapter, imported, name, modules):
    execution, new = imported(name, adapter, modules)

    assert (type(execution.error), new) == (UnknownJobError, set())
    assert str(execution.error).endswith(
        "A payload has a module imported only if the text of the module declares the job: where it does not, "
        "import the module where the worker starts."
    )


BASE = "from pytest_jobs import Job, job\nclass Base(Job):\n    abstract = True\ndef make(f): return job(f)\n"
PERFORM = "    def perform(self, number): return number\n"


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        (
            "store.pay.Pay",
            {
                "store.__init__": "",
                "store.base": BASE,
                "store.pay": f"from .base import Base\nclass Pay(Base):\n{PERFORM}",
            },
        ),
        (
            "shelf.pay.Pay",
            {
                "shelf.base": BASE,
                "shelf.pay": f"from shelf import base\nclass Pay(base.Base):\n{PERFORM}",
            },
        ),
        (
            "pay_by_star.Pay",
            {
                "base_of_pay": BASE,
                "pay_by_star": f"from base_of_pay import *\nclass Pay(Base):\n{PERFORM}",
            },
        ),
        (
            "pay_of_helper.Pay",
            {
                "base_of_pay": BASE,
                "pay_of_helper": "import base_of_pay\nPay = base_of_pay.make(lambda number: number)",
            },
        ),
        (
            "depot.folder.pay.Pay",
            {
                "depot.__init__": "",
                "depot.folder.pay": f"import pytest_jobs as jobs\nclass Pay(jobs.Job):\n{PERFORM}",
            },
        ),
        (
            "moved_pay.Outer.Pay",
            {
                "pay": f"import pytest_jobs as jobs\nclass Pay(jobs.Job):\n{PERFORM}",
                "moved_pay": "class Outer:\n    from pay import Pay",
            },
        ),
    ],
)
def test_a_payload_imports_the_module_whose_text_leads_to_a_job(adapter, imported, name, modules):
    execution, new = imported(name, adapter, modules)

    assert (execution.status, execution.error) == ("performed", None)
    assert name.rpartition(".Pay")[0].removesuffix(".Outer") in new


def test_a_module_of_records_is_imported_only_if_it_declares_records(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hostile_records.py").write_text(f"class User: ...\n{RUNS}")
    (tmp_path / "kept_records.py").write_text(
        "from pytest_jobs import reference\n@reference(id='id', find=print)\nclass User: ...\n"
    )

    with pytest.raises(DeserializationError, match="nothing says how to find it"):
        references.named("hostile_records.User")
    assert references.named("kept_records.User").cls.__name__ == "User"


# What is nested deeply, or has another shape


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "text", [f"[[{DEEP}],{{}}]", f'{{"tagged":[[{DEEP}],{{}}]}}', "[" * 100_000]
)
def test_arguments_of_a_depth_of_100_000_are_refused(text):
    with pytest.raises(DeserializationError, match="cannot be read back: "):
        decode(text, dict, find=RecordReference)


def test_a_payload_with_arguments_of_a_depth_of_100_000_is_refused():
    arguments = []
    for _ in range(100_000):
        arguments = [arguments]

    with pytest.raises(DeserializationError, match="The arguments of this payload are not JSON"):
        Payload.from_dict({**VALID, "arguments": arguments})
    while arguments:  # To forget them all at once would nest as deeply.
        arguments = arguments.pop()


@pytest.mark.parametrize(
    "text", ['["ab",{}]', "[[],[]]", '{"tagged":["ab",{}]}', '{"tagged":[[],7]}']
)
def test_arguments_of_another_shape_are_refused(text):
    with pytest.raises(DeserializationError, match="ValueError: a list and an object are expected"):
        decode(text, dict, find=RecordReference)


TAGS = "set datetime timedelta decimal uuid path bytes range enum record tuple dict dataclass flag"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["~", "v", "t", "tagged", "a"]), inner, max_size=3)
        | st.fixed_dictionaries(
            {
                "~": st.sampled_from(TAGS.split()),
                "v": inner,
                "t": st.sampled_from(["", "os.system", "builtins.dict"]),
            }
        )
    ),
    max_leaves=6,
)


@FEW
@given(
    st.builds(
        lambda data, tagged: json.dumps({"tagged": data} if tagged else data),
        st.tuples(JSON, JSON) | JSON,
        st.booleans(),
    )
    | st.text(max_size=20)
)
def test_whatever_the_text_of_arguments_is_they_are_read_or_refused(text):
    try:
        args, kwargs = decode(text, dict, find=RecordReference)
    except JobsError:
        return

    assert (type(args), type(kwargs)) == (tuple, dict)


@FEW
@given(st.sampled_from(sorted(VALID)), JSON)
def test_whatever_a_payload_has_it_is_taken_over_or_refused(name, value):
    try:
        payload = Payload.from_dict({**VALID, name: value})
    except DeserializationError:
        return

    assert Payload.from_dict(payload.to_dict()).to_dict() == payload.to_dict()


@pytest.mark.parametrize(
    ("name", "value"), [("job", None), ("attempt", "1"), ("headers", 7), ("due_ns", 1.5)]
)
def test_a_value_that_to_dict_never_writes_is_named(name, value):
    with pytest.raises(DeserializationError) as raised:
        Payload.from_dict({**VALID, name: value})

    assert str(raised.value) == (
        f"This payload has {name}={value!r}, and `Payload.to_dict` writes no such value there: it was changed on "
        "its way."
    )
