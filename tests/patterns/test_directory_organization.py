"""The seed's pattern *Directory Organization*: jobs in packages of packages, found by their names."""

import gc
import importlib
import json
import subprocess
import sys

import pytest

from pytest_jobs import Payload, TestAdapter, configure
from pytest_jobs.errors import UnknownJobError

FILES = {
    "app/__init__.py": "",
    "app/jobs/__init__.py": "",
    "app/jobs/application_job.py": """
from pytest_jobs import Job

class ApplicationJob(Job):
    queue = "app"
""",
    "app/jobs/concerns/__init__.py": "",
    "app/jobs/concerns/patient.py": """
from pytest_jobs import Job, retry_on

@retry_on(ConnectionError, wait=60, attempts=3)
class Patient(Job): ...
""",
    "app/jobs/orders/__init__.py": "",
    "app/jobs/orders/process.py": """
from app.jobs.application_job import ApplicationJob
from app.jobs.concerns.patient import Patient

class Process(Patient, ApplicationJob):
    def perform(self, order_id):
        return f"order {order_id}"
""",
    "app/jobs/payments/__init__.py": "",
    "app/jobs/payments/process.py": """
from app.jobs.application_job import ApplicationJob

class Process(ApplicationJob):
    queue = "payments"

    def perform(self, payment_id):
        return f"payment {payment_id}"
""",
}


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Write an application whose modules are forgotten afterwards; return where it is."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]
    gc.collect()


@pytest.fixture
def adapter():
    adapter = TestAdapter()
    with configure(adapter=adapter):
        yield adapter


def job(path):
    return getattr(importlib.import_module(f"app.jobs.{path}"), "Process")  # noqa: B009


def test_a_job_is_named_by_its_place(jobs, app):
    for path in ("orders.process", "payments.process"):
        job(path).perform_later(7)

    assert [record.payload.name for record in jobs.enqueued] == [
        "app.jobs.orders.process.Process",
        "app.jobs.payments.process.Process",
    ]
    jobs.drain()
    assert [d.result for d in jobs.performed] == ["order 7", "payment 7"]


def test_base_and_concern_give_it_their_queue_and_their_rules(jobs, app):
    process = job("orders.process")
    timeline = jobs.simulate_retries(process, args=(7,), raising=ConnectionError())
    process.perform_later(7)

    assert timeline.wait_seconds == [60, 60]
    assert jobs.enqueued[0].queue == "app"


def test_a_worker_finds_it_though_it_has_imported_nothing(jobs, app):
    data = json.dumps(job("orders.process").perform_later(7).payload.to_dict())
    worker = """
import json, sys
from pytest_jobs import Payload, TestAdapter
assert not [name for name in sys.modules if name.startswith("app.")]
print(TestAdapter().perform(Payload.from_dict(json.loads(sys.argv[1]))).result)
"""
    command = [sys.executable, "-c", worker, data]
    printed = subprocess.run(command, cwd=app, capture_output=True, text=True, check=True).stdout

    assert printed == "order 7\n"


def move(app, adapter, *, leaving):
    """Move a job to another package before its payload is performed; return what became of that."""
    data = job("orders.process").new(7).enqueue().payload.to_dict()
    adapter.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "app"]:
        del sys.modules[name]
    gc.collect()
    (app / "app/jobs/sales").mkdir()
    (app / "app/jobs/sales/__init__.py").write_text("", "utf-8")
    old = app / "app/jobs/orders/process.py"
    (app / "app/jobs/sales/process.py").write_text(old.read_text("utf-8"), "utf-8")
    old.write_text(leaving, "utf-8")
    importlib.invalidate_caches()
    return adapter.perform(Payload.from_dict(data))


def test_one_that_was_moved_is_not_found_and_its_payload_is_kept(adapter, app):
    execution = move(app, adapter, leaving="")

    assert (execution.status, type(execution.error)) == ("failed", UnknownJobError)
    assert "keep the old name as an alias until they are done" in str(execution.error)


def test_unless_its_old_place_has_its_name(adapter, app):
    execution = move(app, adapter, leaving="from app.jobs.sales.process import Process\n")

    assert (execution.status, execution.result) == ("performed", "order 7")
