"""The findings that a project accepts, each with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from ..settings.options import NamedFile
from .findings import Finding
from .result import Result


class Baseline:
    """The accepted findings of a file, by kind, job and verdict: lines move, and these stay."""

    def __init__(self, file: NamedFile, *, may_be_missing: bool) -> None:
        """Read the file.

        Args:
            file: has the findings, as `--jobs-audit-report` and `--jobs-audit-update` write them.
            may_be_missing: whether a file that is not there has no findings.

        Raises:
            pytest.UsageError: when it cannot be read.
        """
        self._path = file.path
        self.name = file.written
        try:
            found = json.loads(file.path.read_text("utf-8"))["findings"]
            self._reasons: dict[tuple[str, ...], str] = {
                (one["kind"], one["job"], one["verdict"]): str(one["reason"]).strip()
                for one in found
            }
        except FileNotFoundError:
            if not may_be_missing:
                raise pytest.UsageError(
                    f"{file.where}: there is no {file.written}: --jobs-audit-update writes it."
                ) from None
            self._reasons = {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise pytest.UsageError(
                f"{file.where}: {file.written} is no list of findings ({error!r}): take it out, and let "
                "--jobs-audit-update write it."
            ) from None

    def reason(self, finding: Finding) -> str | None:
        """Return why a finding is accepted: empty if nobody has said it yet, None for one that is not listed."""
        return self._reasons.get(finding.key)

    def new(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those that fail the session."""
        return [finding for finding in findings if not self.reason(finding)]

    def gone(self, result: Result) -> list[tuple[str, ...]]:
        """Return the keys of what is listed, and was not found again although its job was checked."""
        found = {finding.key for finding in result.findings}
        checked = {each.job for each in result.checked if each.is_done}
        return [key for key in self._reasons if key[1] in checked and key not in found]

    def update(self, result: Result) -> None:
        """Write the file: without what is gone, and with what is new, for which somebody is to write a reason."""
        gone = self.gone(result)
        kept = {key: reason for key, reason in self._reasons.items() if key not in gone}
        for finding in result.findings:
            kept.setdefault(finding.key, "")
        written: list[dict[str, Any]] = [
            {"kind": kind, "job": job, "verdict": verdict, "reason": reason}
            for (kind, job, verdict), reason in sorted(kept.items())
        ]
        self._path.write_text(as_json({"version": 1, "findings": written}), "utf-8")


def as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
