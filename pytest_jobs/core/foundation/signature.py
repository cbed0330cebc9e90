"""Binders: a signature, compiled into a function that binds calls to parameters."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any

_KEYWORDS = inspect.Parameter.VAR_KEYWORD


class Binder:
    """Binds calls to the parameters of one function, at the speed of a function call.

    `inspect.Signature.bind` takes longer than the whole of an enqueue, so the signature is
    compiled into a function that returns its own arguments.
    """

    __slots__ = ("bind", "names", "required", "rest", "signature")

    #: Returns the values in the order of `names`, defaults filled in. Raises the TypeError that
    #: the function itself would raise.
    bind: Callable[..., tuple[Any, ...]]
    #: The names of the parameters, in order.
    names: tuple[str, ...]
    #: The parameters that have no default.
    required: tuple[inspect.Parameter, ...]
    #: The name of the parameter that takes any other keyword, if there is one.
    rest: str | None

    def __init__(self, function: Callable[..., object], *, label: str, skip: int = 0) -> None:
        """Compile the signature.

        Args:
            function: whose signature to take.
            label: what a TypeError calls the function.
            skip: how many leading parameters the caller does not pass, such as `self`; they may be
                part of `*args`.
        """
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        if not (parameters and parameters[0].kind is parameters[0].VAR_POSITIONAL):
            parameters = parameters[skip:]
        self.signature = signature.replace(parameters=parameters)
        self.names = tuple(p.name for p in parameters)
        self.required = tuple(
            p
            for p in parameters
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        )
        self.rest = next((p.name for p in parameters if p.kind is _KEYWORDS), None)
        self.bind = _compile(parameters, label)

    def named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the call as values by parameter name; keywords beyond the signature included."""
        values = dict(zip(self.names, self.bind(*args, **kwargs), strict=True))
        if self.rest is not None:
            values.update(values.pop(self.rest))
        return values

    def misfit(self, error: TypeError, name: str) -> str:
        """Return what to say of a call that does not fit.

        Args:
            error: what `bind` raised.
            name: the name of the job.
        """
        text = str(error)
        # It may end with a question: "Did you mean 'name'?"
        end = "" if text.endswith("?") else "."
        return f"{text}{end} The job takes {name}{self.signature}."

    def blank(self) -> tuple[tuple[None, ...], dict[str, None]]:
        """Return a call that gives None for each parameter that is required, by position where it can."""
        named = {p.name: None for p in self.required if p.kind is p.KEYWORD_ONLY}
        return (None,) * (len(self.required) - len(named)), named

    def accepts(self, name: str) -> bool:
        """Return whether a call can have a value of this name."""
        return name in self.names or self.rest is not None


def _compile(parameters: list[inspect.Parameter], label: str) -> Callable[..., tuple[Any, ...]]:
    """Return a function with these parameters that returns their values."""
    namespace: dict[str, Any] = {}
    pieces: list[str] = []
    starred = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    first_keyword = next((p for p in parameters if p.kind is p.KEYWORD_ONLY), None)
    for parameter, following in itertools.zip_longest(parameters, parameters[1:]):
        if parameter is first_keyword and not starred:
            pieces.append("*")
        if parameter.kind is parameter.VAR_POSITIONAL:
            pieces.append(f"*{parameter.name}")
        elif parameter.kind is parameter.VAR_KEYWORD:
            pieces.append(f"**{parameter.name}")
        elif parameter.default is parameter.empty:
            pieces.append(parameter.name)
        else:
            namespace[f"_default_{parameter.name}"] = parameter.default
            pieces.append(f"{parameter.name}=_default_{parameter.name}")
        if parameter.kind is parameter.POSITIONAL_ONLY and (
            following is None or following.kind is not following.POSITIONAL_ONLY
        ):
            pieces.append("/")
    values = "".join(f"{p.name}, " for p in parameters)
    exec(f"def call({', '.join(pieces)}): return ({values})", namespace)  # noqa: S102
    call = namespace["call"]
    call.__name__ = "perform"
    call.__qualname__ = label
    return call  # type: ignore[no-any-return]
