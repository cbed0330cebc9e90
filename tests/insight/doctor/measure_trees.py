"""What the doctor sees in public projects, and what that costs: `python measure_trees.py FOLDER...`.

Each folder is the source of one project; none is part of this repository. Each is read in a process of its own.
The numbers of jobs are those that a person counted in these projects in November 2026.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

#: What a person counted: jobs that are declared, or the calls that name them where nothing is declared.
THERE = {
    "FastAPI-boilerplate": 1, "MoviePilot": 13, "basket": 21, "daiv": 19, "fief": 11, "gaia": 25, "hyperkitty": 11,
    "kitsune": 71, "librephotos": 15, "linkding": 10, "litestar-fullstack": 2, "netbox": 5,
    "notifications-api": 79, "plane": 47, "polar": 158, "radis": 10, "redash": 11, "saleor": 107,
}  # fmt: skip
READ = """
import json, resource, sys, time
from pathlib import Path
from pytest_jobs.insight.doctor.reading import read_project
began = time.process_time()
facts = read_project(Path(sys.argv[1]).resolve())
seconds = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
seen = "; ".join(f"{one.title}: {facts.jobs_of(one.name)[0] or 'nothing'}" for one in facts.libraries)
print(json.dumps([seen, seconds, peak]))
"""


def main(folders: list[str]) -> None:
    for folder in map(Path, folders):
        files = sum(1 for _ in folder.rglob("*.py"))
        done = subprocess.run(
            [sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, check=True
        )
        seen, seconds, peak = json.loads(done.stdout)
        there = THERE.get(folder.name, "?")
        a_thousand = f"{seconds / max(files, 1) * 1000:.2f} s of computing a 1,000 files"
        words = f"{peak:.0f} MB; {there} jobs there; {seen}"
        sys.stdout.write(f"{folder.name}: {files} files, {a_thousand}, {words}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
