"""The keys of locks and limits: two jobs are the same when the value made from their arguments is."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from typing import TypeAlias

from ...errors import DeclarationError, SerializationError
from ..arguments.encoding import encode_value
from ..foundation.base import Declaration, JobBase
from ..foundation.options import nearest

Key: TypeAlias = "str | Iterable[str] | Callable[..., object] | None"


class JobKey:
    """The declared key of a job: names of parameters, a function of the arguments, or all arguments."""

    __slots__ = ("_declared_by", "_function", "_names", "_scope")

    def __init__(self, key: Key, scope: str | None, declared_by: str, scope_name: str) -> None:
        if scope is not None and (not isinstance(scope, str) or not scope):
            raise DeclarationError(
                f"{declared_by}({scope_name}={scope!r}) names nothing: write a text, which jobs that share it "
                "have in common, or leave it out."
            )
        self._declared_by = declared_by
        self._scope = scope
        self._function: Callable[..., object] | None = None
        self._names: tuple[str, ...] | None = None
        if isinstance(key, str):
            self._names = (key,)
        elif callable(key):
            if inspect.iscoroutinefunction(key):
                raise DeclarationError(
                    f"{declared_by}(key={key!r}) is a coroutine function, and a key is made where nothing is "
                    "awaited: write a plain function of the arguments of the job."
                )
            self._function = key
        elif key is not None:
            given: object = key
            names = tuple(given) if isinstance(given, list | tuple) else None
            if names is None or not all(isinstance(name, str) for name in names):
                raise DeclarationError(
                    f"{declared_by}(key={key!r}) is not a key: write the name of a parameter, several in a tuple, "
                    "or a function of the arguments of the job."
                )
            self._names = names

    def check(self, declaration: Declaration) -> None:
        """Check the key against the parameters of `perform`.

        Raises:
            DeclarationError: when a name is none of them, or the function does not take them.
        """
        binder = declaration.binder
        if binder is None:
            return
        where = declaration.job_class.__qualname__
        for name in self._names or ():
            if name not in binder.names or name == binder.rest:
                known = tuple(each for each in binder.names if each != binder.rest)
                raise DeclarationError(
                    f"{self._declared_by}(key={name!r}) names no parameter of {where}{nearest(name, known)} "
                    f"Its parameters: {', '.join(known) or 'none'}."
                )
        if self._function is not None:
            args, kwargs = binder.blank()
            try:
                inspect.signature(self._function).bind(*args, **kwargs)
            except TypeError as error:
                raise DeclarationError(
                    f"{self._declared_by}(key=...) is called with the arguments of {where}{binder.signature}, "
                    f"and does not take them: {error}."
                ) from None
            except ValueError:
                return  # Some builtin functions have no signature.

    def text(self, job: JobBase) -> str:
        """Return the key of a job.

        Raises:
            SerializationError: when what the function returned, or a default of a parameter, cannot be
                written.
        """
        declaration = job.__declaration__
        types = declaration.argument_types
        if self._function is not None:
            made = self._function(*job.args, **job.kwargs)
            try:
                values = [encode_value(made, "key", types)]
            except SerializationError as error:
                raise SerializationError(
                    f"{self._declared_by}(key=...) returned {made!r} for {type(job).__qualname__}, which is not a "
                    "key: let it return what a payload can carry, such as an id, or several in a tuple."
                ) from error
        else:
            params = job.params
            names = self._names
            if names is None:
                # In the order of the signature, and the keywords beyond it by name.
                order = {name: place for place, name in enumerate(declaration.signature.names)}
                names = tuple(sorted(params, key=lambda name: (order.get(name, len(order)), name)))
            values = [
                encode_value(params[name], f"the parameter {name!r}", types) for name in names
            ]
        # The keys of every object in order: two jobs are the same whose dicts are equal.
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return f"{self._scope or declaration.name}:{text}"
