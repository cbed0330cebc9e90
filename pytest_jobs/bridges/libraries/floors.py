"""The oldest version of each library that its bridge takes. The extras of pytest-jobs say it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

from .known import Library


def floors_of(library: str) -> dict[str, str]:
    """Return the versions that the bridge to a library needs, by the distributions: `{"rq": ">=2.8"}`.

    Args:
        library: its name in `jobs_apps`.
    """
    # It comes with pytest, and only a library that cannot be captured needs it.
    from packaging.requirements import Requirement

    extra, found = library.replace("_", "-"), {}
    try:
        written = requires("pytest-jobs") or []
    except PackageNotFoundError:
        return {}
    for one in map(Requirement, written):
        is_of_extra = one.marker is not None and one.marker.evaluate({"extra": extra})
        if is_of_extra and one.specifier:
            found[one.name] = str(one.specifier)
    return found


def is_below(floor: str, version_text: str) -> bool:
    """Return whether a floor such as `>=2.10` leaves a version out. It leaves no text out that is no version."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        found = Version(version_text)
    except InvalidVersion:
        return False
    return not SpecifierSet(floor).contains(found, prereleases=True)


def what_does_not_fit(library: Library, error: Exception) -> str | None:
    """Return a sentence with the installed version of a library, and the oldest that its bridge takes.

    Args:
        library: the library.
        error: why its bridge cannot be made.

    Returns:
        None if the version may fit, so that the error has another reason.
    """
    # Of a library that has moved or lost what the bridge imports; a package beside it may be missing too.
    package = library.modules[0].partition(".")[0]
    lacks = isinstance(error, ImportError) and (error.name or "").partition(".")[0] == package
    for distribution, floor in floors_of(library.name).items():
        try:
            installed = version(distribution)
        except PackageNotFoundError:
            continue
        if is_below(floor, installed):
            return f"pytest-jobs needs {distribution}{floor}, and {installed} is installed"
        if lacks:
            return (
                f"pytest-jobs needs {distribution}{floor} and does not know {installed}, which is installed and "
                "has moved what the bridge takes from it: install an older version, or upgrade pytest-jobs"
            )
    return None
