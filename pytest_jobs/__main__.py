"""The command line: `python -m pytest_jobs`, or `pytest-jobs` where its scripts are on the path."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from .insight import explain
from .insight.doctor import command as doctor
from .insight.lint import command as lint
from .insight.messages import command as compat

_EXAMPLES = """\
examples:
  python -m pytest_jobs explain other-arguments
  python -m pytest_jobs explain NoAdapterError
  python -m pytest_jobs doctor
  python -m pytest_jobs lint src --format=sarif
  python -m pytest_jobs compat --since v1.4

The options of the pytest plugin are listed by `pytest --help`, in the group "jobs".
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return its exit code: 2 when an argument is wrong.

    Args:
        arguments: the words behind the command; None for those of this process.
    """
    asked = _parser().parse_args(arguments)
    code: int = asked.act(asked)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pytest_jobs",
        description="Explains failures, and finds habits that will hurt.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"pytest-jobs {version('pytest-jobs')}"
    )
    topics = parser.add_subparsers(title="topics", required=True)
    explain.take_arguments(
        topics.add_parser(
            "explain",
            help="print what a failure or an error means, and what to do",
            description="Prints what a failure or an error means, and what to do.",
        )
    )
    doctor.take_doctor_arguments(
        topics.add_parser(
            "doctor",
            help="print what was seen of a project's jobs, and how to start",
            description="Prints what was seen of a project's jobs, and how to start. Nothing is imported or run.",
        )
    )
    doctor.take_init_arguments(
        topics.add_parser(
            "init",
            help="write the settings with which to start",
            description="Shows the settings with which to start, and writes them when you agree. What is there "
            "stays.",
        )
    )
    lint.take_arguments(
        topics.add_parser(
            "lint",
            help="find habits of jobs that will hurt",
            description="Finds habits of jobs that will hurt, in the source. The tests are collected, so that the "
            "libraries say what is a job; no test runs.",
        )
    )
    compat.take_arguments(
        topics.add_parser(
            "compat",
            help="say which messages in flight the new code breaks",
            description="Compares two files of `pytest --jobs-messages`, and says which messages in flight the "
            "new code breaks.",
        )
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
