"""The example projects are green, as their users would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*/pyproject.toml"))


@pytest.mark.parametrize("project", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_project_is_green(project, tmp_path):
    environment = {**os.environ, "PYTEST_ADDOPTS": f"-o cache_dir={tmp_path / 'cache'}"}
    command = [sys.executable, "-m", "pytest", "-q"]
    run = subprocess.run(
        command, cwd=project.parent, env=environment, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout.splitlines()[-1]
