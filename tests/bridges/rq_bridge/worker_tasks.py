"""Functions that real workers of RQ perform, and that write their runs down."""

import os
import time
from pathlib import Path

from rq import Retry


def note(directory):
    with (Path(directory) / "runs").open("a", encoding="utf-8") as runs:
        runs.write(f"{os.getpid()} {time.time()}\n")


def waits_to_be_killed(directory):
    note(directory)
    if len((Path(directory) / "runs").read_text("utf-8").splitlines()) == 1:
        time.sleep(60)


def fails(directory):
    note(directory)
    raise ValueError("no such customer")


def asks_again(directory):
    note(directory)
    return Retry(max=2, interval=[1, 2])


def writes(directory, text):
    with (Path(directory) / "texts").open("a", encoding="utf-8") as texts:
        texts.write(f"{text}\n")
