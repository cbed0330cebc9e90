"""Check what `python -m build` has built: `python tests/house/distributions.py BUILT AGAIN`.

BUILT has the sdist and the wheel that was built from it, AGAIN both built from the source tree.
"""

from __future__ import annotations

import email
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: In bytes, and little more than there is. The wheel is to come down to 1.2 MB with the package: of 1.34 MB
#: Python is 1.2, and the names and sums of 500 files are 0.1.
MOST = {".whl": 1_350_000, ".gz": 1_060_000}
#: What a wheel needs to be built; who tests the package, or reads its pages, clones the repository.
IN_SDIST = {
    "pytest_jobs",
    "docs",
    "PKG-INFO",
    "pyproject.toml",
    "hatch_build.py",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    ".gitignore",
}
IN_WHEEL = (
    "pytest_jobs/__init__.py",
    "pytest_jobs/py.typed",
    "pytest_jobs/insight/pages/errors.md",
    "pytest_jobs/insight/pages/lint/job301.md",
)


def problems(built: Path, again: Path) -> list[str]:
    """Return what is wrong, in words."""
    found: list[str] = []
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.gz")
    found += [
        f"{file.name} has {file.stat().st_size:,} bytes, and at most {MOST[file.suffix]:,} are allowed"
        for file in (wheel, sdist)
        if file.stat().st_size > MOST[file.suffix]
    ]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = f"pytest_jobs-{version}.dist-info"
        if f"{info}/METADATA" not in names:
            return [*found, f"{wheel.name} is not of version {version}, which pyproject.toml says"]
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
        if b"jobs = pytest_jobs.plugin" not in archive.read(f"{info}/entry_points.txt"):
            found.append(f"{wheel.name} does not register the plugin")
    if metadata["Version"] != version:
        found.append(f"{wheel.name} says version {metadata['Version']}, pyproject.toml {version}")
    found += [f"{wheel.name} lacks {name}" for name in IN_WHEEL if name not in names]
    found += [
        f"{wheel.name} holds {name}, which is not of the package"
        for name in names
        if not name.startswith(("pytest_jobs/", f"{info}/")) or "__pycache__" in name
    ]
    with tarfile.open(sdist) as archive:
        tops = {name.partition("/")[2].partition("/")[0] for name in archive.getnames()} - {""}
    found += [
        f"{sdist.name} holds {name}, which no wheel needs" for name in sorted(tops - IN_SDIST)
    ]
    found += [
        f"{file.name} differs when it is built again: a build must be reproducible"
        for file in (wheel, sdist)
        if file.read_bytes() != (again / file.name).read_bytes()
    ]
    return found


if __name__ == "__main__":
    wrong = problems(*map(Path, sys.argv[1:]))
    sys.stderr.writelines(f"{problem}\n" for problem in wrong)
    sys.exit(bool(wrong))
