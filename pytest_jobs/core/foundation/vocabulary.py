"""What other job libraries call our verbs, keywords and settings, and what to write here instead."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from types import CodeType
from typing import Any, Final, TypeVar, cast

from ...errors import DeclarationError, ForeignNameError, JobsError

F = TypeVar("F", bound=Callable[..., Any])

# Verbs

#: The methods with which other libraries enqueue a job.
ENQUEUES: Final = ("apply_async", "delay", "enqueue", "kiq", "perform_async")


class ForeignVerb:
    """Stands in a job class for a method of another library; reading it says what to write.

    A class that defines the name, or inherits it from another base, has its own.
    """

    def __init__(self, method: Callable[..., Any] | None = None) -> None:
        """Stand for a method.

        Args:
            method: what an instance has under this name; None for nothing.
        """
        self._method = method
        self._name = ""
        self._owner: type = object
        self.__doc__ = method.__doc__ if method is not None else None

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, owner: type) -> Any:
        method = self._method
        if method is not None:
            return (
                self._of_jobs(method, owner)
                if instance is None
                else method.__get__(instance, owner)
            )
        found = super(self._owner, owner if instance is None else instance)
        try:
            return getattr(found, self._name)
        except AttributeError:
            raise foreign_verb(owner.__qualname__, self._name) from None

    def _of_jobs(self, method: Callable[..., Any], owner: type) -> Callable[..., Any]:
        """Return the method as a function of a job, for `map(Job.enqueue, jobs)`, which takes nothing else."""

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            if args and isinstance(args[0], owner):
                return getattr(args[0], self._name)(*args[1:], **kwargs)
            raise foreign_verb(owner.__qualname__, self._name)

        return call


def foreign_verb(job: str, name: str, instead: str = "") -> ForeignNameError:
    """Return the error for a method of another library.

    Args:
        job: the job as an application writes it.
        name: the method.
        instead: what to write; empty for `perform_later` of the job.
    """
    return ForeignNameError(
        f"{job}.{name}(...) enqueues jobs of another library: write {instead or f'{job}.perform_later'}(...) "
        "for a job of pytest-jobs."
    )


def missing_attribute(
    owner: object, name: str, foreign: Callable[[], AttributeError]
) -> AttributeError:
    """Return the error for an attribute that an object lacks.

    Args:
        owner: the object.
        name: the attribute.
        foreign: returns the error where that is a verb of another library.
    """
    if name in ENQUEUES:
        return foreign()
    text = f"{type(owner).__name__!r} object has no attribute {name!r}"
    return AttributeError(text, name=name, obj=owner)


# Settings

#: How a retry is declared, by what a number in its place counts.
_RETRIES: Final = "put `@retry_on(SomeError, attempts={attempts})` above the class; attempts= counts the first run"
_ATTEMPTS: Final = "put `@retry_on(SomeError, attempts={value})` above the class"
_RETRY_WAIT: Final = "put `@retry_on(SomeError, wait={value})` above the class"
_RETRY_RULE: Final = "put `@retry_on(SomeError)` above the class"
_QUEUE: Final = "write `queue = {value}`"
_PRIORITY: Final = "write `priority = {value}`"
_DELAY: Final = "write `{job}.set(wait={value}).perform_later(...)` where it is enqueued"
_INSTANT: Final = "write `{job}.set(at=...).perform_later(...)` where it is enqueued"
_COMMIT: Final = "write `enqueue_after_commit = {value}`"
_UNIQUE: Final = "put `@unique()` above the class"
_LIMIT: Final = "put `@limits_concurrency(to=...)` above the class"
_NOTHING: Final = "leave it out, since the core has no such setting"

#: What stands for a setting elsewhere and has no other meaning, and what to write.
_SETTINGS: Final[Mapping[str, str]] = {
    "queue_as": _QUEUE,
    "queue_name": _QUEUE,
    "queue_with_priority": _PRIORITY,
    "queue_priority": _PRIORITY,
    "sidekiq_options": "write `queue = ...`, and put `@retry_on(SomeError, attempts=...)` above the class",
    "job_options": "write `queue = ...`, and put `@retry_on(SomeError, attempts=...)` above the class",
    "retry": _RETRY_RULE,
    "retries": _RETRIES,
    "max_retries": _RETRIES,
    "max_attempts": _ATTEMPTS,
    "autoretry_for": _RETRY_RULE,
    "retry_for": _RETRY_RULE,
    "retry_kwargs": _RETRY_RULE,
    "retry_backoff": "put `@retry_on(SomeError, wait=exponentially_longer)` above the class",
    "retry_backoff_max": "put `@retry_on(SomeError, wait=exponentially_longer(cap={value}))` above the class",
    "retry_jitter": "put `@retry_on(SomeError, jitter=...)` above the class",
    "default_retry_delay": _RETRY_WAIT,
    "retry_delay": _RETRY_WAIT,
    "retry_in": _RETRY_WAIT,
    "sidekiq_retry_in": _RETRY_WAIT,
    "dont_autoretry_for": "put `@discard_on(SomeError)` above the class",
    "enqueue_after_transaction_commit": _COMMIT,
    "unique_for": "put `@unique(ttl={value})` above the class",
    "concurrency_key": "put `@limits_concurrency(key=...)` above the class",
    "concurrency_limit": "put `@limits_concurrency(to={value})` above the class",
    "queue_adapter": "write `configure(adapter=...)` where the program starts",
    "acks_late": _NOTHING,
    "ignore_result": _NOTHING,
    "rate_limit": _NOTHING,
    "soft_time_limit": _NOTHING,
    "time_limit": _NOTHING,
}
#: What stands for a setting elsewhere, and may be data of the job as well.
_MAYBE_SETTINGS: Final[Mapping[str, str]] = {
    "attempts": _ATTEMPTS,
    "backoff": _RETRY_WAIT,
    "countdown": _DELAY,
    "delay": _DELAY,
    "wait": _DELAY,
    "eta": _INSTANT,
    "unique": _UNIQUE,
    "concurrency": _LIMIT,
}


def check_no_foreign_settings(cls: type) -> None:
    """Refuse a plain value in the body of a job class that another library would read as a setting.

    A method, a property, or a value that the class itself reads has a meaning of its own. So has an attribute of
    a base that is no job class. A word that may be data too is refused only where there is a `perform` to read it.

    Raises:
        DeclarationError: says what to write.
    """
    body = vars(cls)
    for name, value in body.items():
        advice = _SETTINGS.get(name)
        if advice is None and hasattr(cls, "perform"):
            advice = _MAYBE_SETTINGS.get(name)
        if advice is None or callable(value) or hasattr(type(value), "__get__"):
            continue
        if _is_read(name, body.values()):
            continue
        attempts = value + 1 if type(value) is int else "..."
        instead = advice.format(job=cls.__qualname__, value=repr(value), attempts=attempts)
        raise DeclarationError(
            f"{cls.__qualname__}.{name} = {value!r} looks like a setting of another library, and nothing reads "
            f"it here: {instead}. A value of your own needs another name."
        )


def _is_read(name: str, values: Iterable[object]) -> bool:
    """Return whether a function among some values reads an attribute."""
    functions = (getattr(value, "__func__", getattr(value, "fget", value)) for value in values)
    codes = (getattr(inspect.unwrap(f), "__code__", None) for f in functions if callable(f))
    return any(name in names_in(code) for code in codes if code is not None)


def names_in(code: CodeType) -> set[str]:
    """Return the names of globals and attributes that some code mentions, in inner functions too."""
    names = {*code.co_names}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= names_in(constant)
    return names


# Keywords

#: Words that mean the same, in some library or in Python: the first of ours that a function takes is advised.
_SYNONYMS: Final = tuple(
    frozenset(words.split())
    for words in (
        "at wait_until eta run_at scheduled_at perform_at due_at when",
        "wait countdown delay schedule_in perform_in backoff retry_delay default_retry_delay retry_backoff",
        "queue queue_name queue_as queues",
        "raising raise_ raises error exc exception side_effect",
        "error errors raising raises exception",
        "raise_errors raise_exceptions reraise",
        "attempts max_attempts max_retries retries tries",
        "then on_exhausted fallback block",
        "only job jobs task tasks job_class include",
        "exclude except_ without ignore skip",
        "count times exactly",
        "times count",
        "at_least minimum least",
        "at_most maximum most",
        "limit max_jobs",
        "args arguments with_args",
        "kwargs keywords",
        "params with_params",
        "within inside",
        "where matching predicate",
        "result returns return_value returning",
        "enqueue_after_commit enqueue_after_transaction_commit after_commit on_commit",
        "key lock_args unique_by unique_key concurrency_key",
        "ttl unique_for expires_in lock_ttl",
        "to limit concurrency",
        "cap max_wait retry_backoff_max",
        "jitter retry_jitter jobs_jitter",
        "apps app applications jobs_apps",
        "mode jobs_mode",
        "raise_at jobs_raise",
        "adapter queue_adapter",
        "delta duration",
        "environment env",
        "timezone tz zone time_zone",
    )
)
#: Words for a number of retries, which is one less than that of the attempts.
_COUNT_RETRIES: Final = frozenset(("max_retries", "retries"))
_WIDTH: Final = 60
_UNITS: Final = frozenset(
    ("weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds")
)


def meant_keyword(name: str, known: Collection[str]) -> str | None:
    """Return the keyword that another word most likely stands for; None when nothing is near."""
    for words in _SYNONYMS:
        if name in words:
            ours = [word for word in words if word in known]
            if ours:
                return min(ours, key=[*known].index)
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return near[0] if near else None


def keyword_advice(name: str, value: object, known: Collection[str]) -> str:
    """Return what to write instead of a keyword that a call does not take."""
    if name in _UNITS and known:
        unit = f"timedelta({name}={value!r})"
        taken = next((word for word in ("delta", "wait", "at") if word in known), None)
        if taken == "delta":
            return f"write {unit}."
        if taken == "wait":
            return f"write wait={unit}."
    meant = meant_keyword(name, known)
    if meant is None:
        return f"it takes {', '.join(known) or 'no keywords'}."
    if meant == "args" and isinstance(value, Mapping) and "kwargs" in known:
        return f"write kwargs={_shown(value)}."
    counted = ", which counts the first run" if name in _COUNT_RETRIES else ""
    return f"write {meant}={counted}."


def in_our_words(error: type[JobsError], *, by_position: str = "") -> Callable[[F], F]:
    """Let a function say what to write when it is called with a keyword, or a position, that it has not.

    Args:
        error: what is raised: a TypeError of ours.
        by_position: the keyword that an argument without one stands for; empty for none.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except TypeError as wrong:
                if wrong.__traceback__ is not None and wrong.__traceback__.tb_next is not None:
                    raise  # It was not the call that was wrong.
                text = _misfit(function, args, kwargs, by_position)
                if not text:
                    raise
                # Python 3.13 adds a guess of its own, which may be another word.
                said = str(wrong).partition(". Did you mean ")[0]
                raise error(f"{said}: {text}") from None

        return cast(F, call)

    return decorate


def _misfit(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    by_position: str,
) -> str:
    """Return what to write instead of a call that does not fit; empty when Python has said all."""
    parameters = inspect.signature(function).parameters.values()
    positions = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    known = [
        p.name
        for p in parameters
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in ("self", "cls")
    ]
    for name, value in kwargs.items():
        if name not in known:
            return keyword_advice(name, value, [word for word in known if word not in kwargs])
    extra = args[len(positions) :]
    if not extra or not by_position:
        return ""
    collected = {"args": extra, "apps": [*extra]}.get(by_position, extra[0])
    return f"write {by_position}={_shown(collected)}."


def _shown(value: object) -> str:
    """Return a value as it would be written, or dots for a long one."""
    text = getattr(value, "__qualname__", None) or repr(value)
    return text if len(text) <= _WIDTH and " at 0x" not in text else "..."
