"""The command line: `python -m pytest_jobs`."""

from __future__ import annotations

import sys

from .integrations.recurring.preview import main

sys.exit(main(sys.argv[1:]))
