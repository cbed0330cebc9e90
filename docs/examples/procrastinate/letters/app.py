"""The app: `procrastinate --app=letters.app.app worker`."""

from __future__ import annotations

import os

from procrastinate import App, PsycopgConnector

from .tasks import blueprint

DATABASE = os.environ.get("LETTERS_DATABASE", "host=localhost dbname=letters")

app = App(connector=PsycopgConnector(conninfo=DATABASE))
app.add_tasks_from(blueprint, namespace="letters")
