"""Commands: dotted paths to callables, and the job that calls one."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.job import Job
from ..errors import ScheduleError

_HELP = (
    "write a dotted path to a callable, with plain values as arguments if there are any, as in "
    "'shop.cards.postpone_due' or 'shop.cards.postpone_due(limit=50)'"
)


class RecurringCommand(Job):
    """The job of a recurring task that has a command in place of a class.

    As `SolidQueue::RecurringJob`, whose commands are Ruby; ours are dotted paths, and nothing is
    evaluated.
    """

    queue = "recurring"

    def perform(self, command: str) -> Any:
        """Call what the command names.

        Args:
            command: such as `shop.cards.postpone_due(limit=50)`.

        Raises:
            ScheduleError: when it names nothing that can be called.
        """
        return read_command(command).call()


@dataclass(frozen=True, slots=True)
class Command:
    """A callable and its arguments."""

    target: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def call(self) -> Any:
        """Call it."""
        return self.target(*self.args, **self.kwargs)


def read_command(text: str) -> Command:
    """Return what a command says.

    Raises:
        ScheduleError: when it is none, names nothing that can be called, or gives it arguments that it
            does not take.
    """
    path, args, kwargs = split_command(text)
    target = find(path, "command")
    if not callable(target):
        raise ScheduleError(
            f"command is {text!r}, and {path} is {target!r}, which cannot be called"
        )
    if inspect.iscoroutinefunction(target):
        raise ScheduleError(
            f"command is {text!r}, and {path} is a coroutine function: make it a job with @job and write "
            f"`class: {path}`"
        )
    try:
        signature = inspect.signature(target)
    except ValueError:  # Some builtins have none.
        return Command(target, args, kwargs)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise ScheduleError(
            f"command is {text!r}, and its arguments do not fit {path}{signature}: {error}"
        ) from None
    return Command(target, args, kwargs)


def split_command(text: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Return the path and the arguments of a command, by reading it alone.

    Raises:
        ScheduleError: when it is none.
    """
    try:
        expression = ast.parse(text.strip(), mode="eval").body
        called = expression.func if isinstance(expression, ast.Call) else expression
        path = ast.unparse(called)
        if not all(piece.isidentifier() for piece in path.split(".")):
            raise ValueError(path)
        if not isinstance(expression, ast.Call):
            return path, (), {}
        args = tuple(ast.literal_eval(value) for value in expression.args)
        if any(word.arg is None for word in expression.keywords):
            raise ValueError(text)
        named = {str(word.arg): ast.literal_eval(word.value) for word in expression.keywords}
    except (SyntaxError, ValueError, TypeError):
        raise ScheduleError(f"command is {text!r}, which is no command: {_HELP}") from None
    return path, args, named


def find(path: str, what: str) -> Any:
    """Return what a dotted path names, importing its module.

    Args:
        path: such as `shop.reports.DailyReport`.
        what: how a message calls it: `class` or `command`.

    Raises:
        ScheduleError: when there is no such thing, or its module raises when it is imported.
    """
    pieces = path.split(".")
    if len(pieces) == 1:
        raise ScheduleError(
            f"{what} is {path!r}, without its module: write a dotted path, as in 'shop.reports.{path}'"
        )
    for length in range(len(pieces) - 1, 0, -1):
        name = ".".join(pieces[:length])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise ScheduleError(_broken(what, path, name, error)) from error
            continue
        except Exception as error:
            raise ScheduleError(_broken(what, path, name, error)) from error
        return _attribute(found, name, pieces[length:], path, what)
    raise ScheduleError(
        f"{what} is {path!r}, and there is no module {pieces[0]!r}: correct the path, or run where it can "
        "be imported"
    )


def _attribute(found: Any, name: str, pieces: list[str], path: str, what: str) -> Any:
    for piece in pieces:
        if not hasattr(found, piece):
            raise ScheduleError(
                f"{what} is {path!r}, and {name} has no {piece!r}: correct the path"
            )
        found = getattr(found, piece)
        name = f"{name}.{piece}"
    return found


def _broken(what: str, path: str, name: str, error: Exception) -> str:
    return f"{what} is {path!r}, and {name} cannot be imported: {type(error).__name__}: {error}. Mend that first"
