"""What a library would really do with a job whose delivery fails, in words."""

from __future__ import annotations

from ..harness.records.bridge import Bridge
from .function_bridge import FunctionBridge


def semantics_text(bridge: Bridge, job: object) -> str:
    """Return in one line what becomes of a job that raises, and of one that is killed."""
    if isinstance(bridge, FunctionBridge):
        return "delivery: at least once, as brokers do; a plain function has no library of its own."
    found = bridge.delivery_semantics(job)
    library = "the core" if bridge.name == "core" else bridge.name
    raises = (
        "delivered again" if found.redelivered_on_raise else "delivered again only by a retry rule"
    )
    killed = _becomes(found.redelivered_on_kill)
    outage = _becomes(found.redelivered_on_outage)
    ends = (
        f"when it is killed, {killed}"
        if killed == outage
        else f"when its process is killed, {killed}; when the machine goes, {outage}"
    )
    return (
        f"delivery: {library} acknowledges this job {found.acknowledged} it runs; "
        f"when it raises, it is {raises}; {ends}."
    )


def _becomes(redelivered: bool) -> str:
    return "delivered again" if redelivered else "lost"
