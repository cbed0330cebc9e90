"""Who sees the virtual clock, and who does not."""

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime


def test_who_sees_the_clock(jobs, tmp_path):
    this_year = datetime.now(UTC).year
    counter = time.perf_counter()
    jobs.clock.move_to(datetime(2100, 1, 1, tzinfo=UTC))

    seen = []
    thread = threading.Thread(target=lambda: seen.append(datetime.now(UTC).year))
    thread.start()
    thread.join()
    assert seen == [2100]

    assert time.perf_counter() - counter < 60
    path = tmp_path / "file"
    path.touch()
    assert datetime.fromtimestamp(path.stat().st_mtime, UTC).year < 2100
    with closing(sqlite3.connect(":memory:")) as db:
        (now,) = db.execute("SELECT CURRENT_TIMESTAMP").fetchone()
    assert now < "2100"
    child = [sys.executable, "-c", "import time; print(time.gmtime().tm_year)"]
    assert int(subprocess.check_output(child)) in (this_year, this_year + 1)
