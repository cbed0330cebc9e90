"""The bridges: they bring job libraries into a harness.

- `toolkit`: the base class of every bridge, and all that a bridge of your own imports. Read it first.
- `seam`: patches the classes of a library once for all bridges to it.
- `applications`: the applications of a library, and which is asked first for a job by its name.
- `libraries/`: the libraries that are known, and how a harness captures those that are imported.
- `rows`: whether a test may read the rows in which libraries keep schedules.
- `asking`: whether the body of a job asks for its retries itself.
- `lives`: workers that are started once on each event loop.
- `call_capture`: delivers the direct calls of bridged tasks as jobs.
- `opening`: makes the bridges that `jobs_apps` names, and `open_jobs`.
- `django/`, `celery/`, `taskiq/`, `rq/`, `huey/` and the like: one library each. Django's is the shortest to read.
- `core/`: the bridge of the reference core, which every harness has.

The contract of the harness with all of them is the protocol `Bridge` in `harness.records.bridge`. The plugin opens
harnesses with them; `conformance` is the suite that each must pass.
"""
