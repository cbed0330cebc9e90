"""What jobs do outside of themselves: one effect source a library. Public as `pytest_jobs.effects`.

- `wrapping`: the tool of all sources, which puts each call of a method in a block.
- `audit`: changes of files, and what leaves the process without a source.
- The sources: `peewee`, `sqlalchemy`, `django`, `asgiref`, `botocore` (the clients of AWS, with moto, a Stubber or
  a server on this machine behind them), `mongomock`, `mail`, `subprocess`, and the rooms `sql` (drivers of
  databases), `http` and `redis`. Read `http/requests` first, and `engine/acts` beside it. `unwatched` stands in
  for the source of a library that is too old for it.
- `doubles`: `wrap`, which tests put around a service, and the table of names for every double; `of_tests`: the
  mocks and stubs that tests put in place.

`engine/sources.py` names them, and takes each into use when its library is imported. A library that has none
here gets a file here and a line there; or `wrap`, or an `EffectSource` of the project's own.
"""

from ..engine.acts import (
    Act,
    Transaction,
    holds_connection,
    looking,
    may_wait_for_locks,
    note_connection,
    note_effect,
    perform_act,
    perform_act_async,
    refuse_delivery,
)
from ..engine.sources import EffectSource, reach
from .doubles.wrapping import wrap

__all__ = [
    "Act",
    "EffectSource",
    "Transaction",
    "holds_connection",
    "looking",
    "may_wait_for_locks",
    "note_connection",
    "note_effect",
    "perform_act",
    "perform_act_async",
    "reach",
    "refuse_delivery",
    "wrap",
]
