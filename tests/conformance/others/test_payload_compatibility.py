"""What was asked of other tools: a test that jobs which wait during a deployment can still be performed."""

import json

import pytest

from pytest_jobs import check_payloads, job, open_jobs
from pytest_jobs.errors import IncompatiblePayload


@job
def send_receipt(order_id, email, *, copy=False):
    return f"receipt {order_id} to {email}"


def test_gap_10_payloads_recorded_before_a_deployment_are_held_against_the_code_after_it(tmp_path):
    with open_jobs() as jobs:
        send_receipt.perform_later(7, "ann@example.org")
        (path,) = jobs.record_payloads(tmp_path)

    assert check_payloads(tmp_path, perform=True) == (path,)

    waiting = json.loads(path.read_text("ascii"))
    waiting["payload"]["arguments"] = [[7], {}]
    path.write_text(json.dumps(waiting), "ascii")
    with pytest.raises(IncompatiblePayload, match="give `email` a default until no job without it"):
        check_payloads(tmp_path)
