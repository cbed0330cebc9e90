"""Django, for jobs that depend on its transactions and models.

- `records`: models as arguments of jobs of the core, and the atomic blocks that such jobs wait for;
  `core/foundation/libraries.py` loads it by name once Django is set up;
- `transactions`: calls `on_commit` callbacks in tests whose transaction is never committed; `bridges/opening.py`
  gives it to each harness, and `jobs.commit()` reaches it;
- `hooks`: one such callback and what became of it.

Read `transactions` first. Django's own tasks do not belong to this room: see `bridges/django`.
"""
