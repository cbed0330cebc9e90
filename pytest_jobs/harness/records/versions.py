"""The versions of a library that are known here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import UnknownVersionError


@dataclass(frozen=True, slots=True)
class KnownVersions:
    """A range of minor versions, both ends included."""

    #: What the library is called in messages and by pip.
    library: str
    oldest: tuple[int, int]
    newest: tuple[int, int]

    def check(self, version: str) -> None:
        """Raise for a version outside the range.

        Args:
            version: what the library says of itself, such as "5.7.0".

        Raises:
            UnknownVersionError: says which versions are known.
        """
        found = re.match(r"(\d+)\.(\d+)", version)
        if found is not None:
            minor = int(found[1]), int(found[2])
            if self.oldest <= minor <= self.newest:
                return
            advice = "upgrade pytest-jobs" if minor > self.newest else f"upgrade {self.library}"
        else:
            advice = "install a release"
        raise UnknownVersionError(
            f"pytest-jobs knows {self} and this is {version}: it relies on parts of the library that may have "
            f"changed, and does not guess. Either {advice}, or install {self._requirement()}."
        )

    def _requirement(self) -> str:
        major, minor = self.newest
        return f'"{self.library}>={_text(self.oldest)},<{major}.{minor + 1}"'

    def __str__(self) -> str:
        return f"{self.library} {_text(self.oldest)} to {_text(self.newest)}"


def _text(minor: tuple[int, int]) -> str:
    return f"{minor[0]}.{minor[1]}"
