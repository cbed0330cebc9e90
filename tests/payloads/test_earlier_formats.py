"""What earlier versions of the package recorded stays readable.

A folder is added here with each new format, and none is ever changed.
"""

from pathlib import Path

import kept_jobs
import pytest

from pytest_jobs import check_payloads, open_jobs
from pytest_jobs.core.foundation.payload import FORMAT as FORMAT_OF_PAYLOADS
from pytest_jobs.harness.payload_files import FORMAT

HERE = Path(__file__).parent
FORMATS = sorted(path.name for path in HERE.glob("format-*"))


def test_each_format_is_kept():
    assert [f"format-{number}" for number in range(1, FORMAT + 1)] == FORMATS
    assert FORMAT >= FORMAT_OF_PAYLOADS


@pytest.mark.parametrize("folder", FORMATS)
def test_payloads_of_an_earlier_version_are_performed(folder):
    checked = check_payloads(HERE / folder, perform=True)

    assert len(checked) >= len(kept_jobs.VALUES)


def test_what_this_version_writes_is_the_newest_format(tmp_path):
    with open_jobs() as jobs:
        kept_jobs.enqueue()
        written = jobs.record_payloads(tmp_path)

    kept = HERE / f"format-{FORMAT}"
    assert {path.name: path.read_bytes() for path in written} == {
        path.name: path.read_bytes() for path in kept.iterdir()
    }
