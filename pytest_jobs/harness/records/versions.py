"""The range of versions of a library that a bridge was written for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import UnknownVersionError


@dataclass(frozen=True, slots=True)
class KnownVersions:
    """A range of minor versions, both ends included."""

    #: The name of the library in messages and for pip.
    library: str
    oldest: tuple[int, int]
    newest: tuple[int, int]

    def check(self, version: str) -> None:
        """Raise for a version outside the range.

        Args:
            version: the installed version, such as "5.7.0".

        Raises:
            UnknownVersionError: names the versions that are known.
        """
        found = re.match(r"(\d+)\.(\d+)", version)
        if found is not None:
            minor = int(found[1]), int(found[2])
            if self.oldest <= minor <= self.newest:
                return
            advice = "upgrade pytest-jobs" if minor > self.newest else f"upgrade {self.library}"
        else:
            advice = "install a release"
        required = f"{self.library}>={_text(self.oldest)},<{self.newest[0]}.{self.newest[1] + 1}"
        raise UnknownVersionError(
            f"pytest-jobs knows {self} and this is {version}: it relies on parts of the library that may have "
            f'changed, and does not guess. Either {advice}, or install "{required}".'
        )

    def __str__(self) -> str:
        return f"{self.library} {_text(self.oldest)} to {_text(self.newest)}"


def _text(minor: tuple[int, int]) -> str:
    return f"{minor[0]}.{minor[1]}"
