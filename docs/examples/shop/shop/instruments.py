"""What is told of the jobs while they run: a log line for each step, and numbers."""

from __future__ import annotations

from collections import Counter

from pytest_jobs import JobLog, JobMetrics, hooks


class Statsd:
    """Takes numbers. This client keeps them in memory."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, list[float]] = {}
        self.counts: Counter[str] = Counter()

    def timing(self, metric: str, value: float) -> None:
        """Take a duration."""
        self.milliseconds.setdefault(metric, []).append(value)

    def increment(self, metric: str) -> None:
        """Count one more."""
        self.counts[metric] += 1


def instrument(statsd: Statsd) -> None:
    """Log and measure every job of the program: called where it starts."""
    hooks.register(JobLog())
    hooks.register(JobMetrics(statsd))
