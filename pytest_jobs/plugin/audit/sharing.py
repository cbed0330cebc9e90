"""An audit by several processes: workers of pytest-xdist share the second pass.

A worker knows only its own tests, and two of them may reach one job. Each writes its result into a folder of the
controller after each check. There the others see which jobs are checked, and the controller reads the whole, also
when a worker was killed.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

from .result import Result

_SUFFIX = ".result"


class Share:
    """The share of one worker."""

    def __init__(self, folder: Path, worker: str, workers: int) -> None:
        """Take a share.

        Args:
            folder: that of the controller.
            worker: the id of the worker, such as `gw1`.
            workers: how many there are.
        """
        self._folder = folder
        self._worker = worker
        self._workers = workers

    def write(self, result: Result) -> None:
        """Write what this worker has found until now."""
        path = self._folder / self._worker
        path.write_bytes(pickle.dumps(result))
        # At once, since others may read it at any time.
        path.replace(path.with_suffix(_SUFFIX))

    def in_turn(self, jobs: Iterable[str]) -> list[str]:
        """Return the names of jobs in the order in which this worker checks them: each worker has its own."""
        # Whoever starts it with `--tx` may give it another name.
        first = int("".join(filter(str.isdigit, self._worker)) or 0)
        return sorted(jobs, key=lambda job: (crc32(job.encode()) - first) % self._workers)

    def is_checked(self, job: str) -> bool:
        """Say whether a worker has checked a job."""
        audited = together(self._folder).audited.get(job)
        return audited is not None and audited.is_done and bool(audited.checks)


def together(folder: Path) -> Result:
    """Return what all workers have found until now."""
    results = [pickle.loads(file.read_bytes()) for file in sorted(folder.glob(f"*{_SUFFIX}"))]  # noqa: S301  our own
    whole = Result(is_begun=bool(results))
    for result in results:
        whole.add(result)
    return whole
