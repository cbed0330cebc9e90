"""One delivery as an adapter makes it: what is given up becomes a dead letter."""

from __future__ import annotations

from collections.abc import MutableSequence

from ..core.dead_letter import GIVEN_UP, DeadLetter
from ..core.execution import Execution, perform_to_end
from ..core.payload import Payload


def deliver(payload: Payload, dead: list[DeadLetter]) -> Execution:
    """Perform a payload once and return what came of it.

    Args:
        payload: what to perform.
        dead: takes a dead letter when the job is given up.
    """
    execution = perform_to_end(payload)
    if execution.status in GIVEN_UP:
        dead.append(DeadLetter(payload, execution.status, execution.error))
    return execution


def taken_out(payloads: MutableSequence[Payload], job_id: str) -> Payload | None:
    """Take the first payload of a job out of a sequence and return it; None when there is none."""
    found = next((payload for payload in payloads if payload.job_id == job_id), None)
    if found is not None:
        payloads.remove(found)
    return found
