"""A database of Django that is new for each history, with what Django keeps beside it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from ....errors import ExplorationError
from ...engine.world import kept_for_search

if TYPE_CHECKING:
    from django.db.models import Model


class DjangoWorld(Protocol):
    """The state of a database of Django."""

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of all models, by the name of the model.

        The name is the label, as in `shop.Order`, where two models have the same name.
        """
        ...

    def rows(self, model: type[Model]) -> list[dict[str, Any]]:
        """Return the rows of a model, each by the names of its fields, in the order of their keys.

        Args:
            model: the model; rows that its managers hide are among them.
        """
        ...


@contextmanager
def django_world(
    models: Iterable[type[Model]] | None = None,
    *,
    rows: Iterable[Model] | Callable[[], object] = (),
    using: str = "default",
    migrate: bool = False,
) -> Generator[DjangoWorld, None, None]:
    """Replace one of Django's databases by a new one for a block.

    Of sqlite it is a file of its own, with the tables made once in a process. Of a server it is the
    database that the test runner made, whose tables are emptied. Mail goes to a new outbox, and the
    caches in memory are empty.

    Args:
        models: whose rows are the state; the tables that they refer to are there too. None for those
            of all installed applications.
        rows: the first rows: objects that are not saved, of which copies are, in this order; or a
            function that saves what it likes.
        using: the alias of the database.
        migrate: whether the tables are made by the migrations, and so have what these add, instead
            of from the models.

    Returns:
        The world, whose `.snapshot()` are the rows of all models, `.rows(model)` those of one.

    Raises:
        ExplorationError: when there is no such database, when the test may not use it, or when it is
            that of a server and no test database.
    """
    try:
        from .databases import models_of
        from .memory import empty_memory
        from .stores import made_database
    except ImportError as error:
        raise ExplorationError(
            f"django_world needs Django ({error}): pip install 'pytest-jobs[django]'."
        ) from error
    with empty_memory():
        shown = models_of(models, using)
        key = ("made", using, shown, migrate)
        with (
            kept_for_search(
                key, lambda: nullcontext(made_database(shown, using, migrate=migrate))
            ) as database,
            database.fresh() as world,
        ):
            world.save(rows)
            yield world
