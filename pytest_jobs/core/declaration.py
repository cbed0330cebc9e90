"""What a job class declares, taken in when the class is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ..errors import DeclarationError, SignatureError
from .arguments.types import annotated_types
from .foundation.callbacks import Callback
from .foundation.options import checked_priority, checked_queue
from .foundation.registry import name_of, registry
from .foundation.rules import Rule, nearest_rule
from .foundation.signature import Binder

if TYPE_CHECKING:
    from .job import Job
    from .locks.declaring import LimitRule, UniqueRule
    from .locks.exclusion import Exclusion


class JobDeclaration:
    """The class side of a job: queue, priority, `perform`, rules and callbacks, inherited ones included."""

    #: The name of the queue, or a callable that takes the arguments of the job and returns it.
    queue: str | Callable[..., str] = "default"
    #: The lower number is performed first; None counts as 0. Or a callable that returns it, as of the queue.
    priority: int | Callable[..., int | None] | None = None

    #: Whether logs may show the arguments; False for what is secret.
    log_arguments: ClassVar[bool] = True

    #: Whether a job waits, to be enqueued, for the commit of the transactions that are open.
    enqueue_after_commit: ClassVar[bool] = False

    #: The class itself; for a job function the class behind it.
    job_class: ClassVar[type[Job]]
    #: What the application calls the job: the class, or the job function.
    public: ClassVar[Any]

    _name: ClassVar[str]
    _binder: ClassVar[Binder | None] = None
    _is_coroutine: ClassVar[bool] = False
    _declared_rules: ClassVar[list[Rule]] = []
    _declared_callbacks: ClassVar[list[Callback]] = []
    _declared_after_discard: ClassVar[list[str]] = []
    _enqueue_callbacks: ClassVar[tuple[Callback, ...]] = ()
    _perform_callbacks: ClassVar[tuple[Callback, ...]] = ()
    _rule_cache: ClassVar[dict[type[BaseException], Rule | None]] = {}
    _types: ClassVar[Mapping[str, type] | None] = None
    _unique: ClassVar[UniqueRule | None] = None
    _limit: ClassVar[LimitRule | None] = None
    #: What keeps its jobs apart; None for nearly every class.
    _exclusion: ClassVar[Exclusion | None] = None

    def __init__(self, *args: object, **kwargs: object) -> None:
        if args or kwargs:
            name = type(self).__qualname__
            raise SignatureError(
                f"{name}(...) makes a blank job and takes no arguments: write {name}.perform_later(...) to "
                f"enqueue one, or {name}.new(...) for perform_all_later."
            )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            raise DeclarationError(
                f"{cls.__qualname__} defines __init__, which a worker would never call: what a job needs "
                "are the parameters of `perform`."
            )
        cls._name = name_of(cls)
        cls.job_class = cast("type[Job]", cls)
        cls.public = cls.__dict__.get("public", cls)
        cls._declared_rules = cls.__dict__.get("_declared_rules", [])
        cls._declared_callbacks = cls.__dict__.get("_declared_callbacks", [])
        cls._declared_after_discard = cls.__dict__.get("_declared_after_discard", [])
        cls._rule_cache = {}
        if not cls._take_callable("queue"):
            queue = checked_queue(cls.queue, f"{cls.__qualname__}.queue")
            # Set here, an inherited one would hide that of the next base of a subclass.
            if queue is not cls.queue:
                cls.queue = queue
        if not cls._take_callable("priority"):
            checked_priority(cls.priority, f"{cls.__qualname__}.priority")
        for switch in ("log_arguments", "enqueue_after_commit"):
            _check_switch(cls, switch)
        if cls.enqueue_after_commit:
            _listen_for_commits()
        cls._take_perform()
        cls._take_callbacks()
        if cls._exclusion is not None:
            cls._keep_apart()
        registry.add(cls.job_class)

    @classmethod
    def _take_callable(cls, name: str) -> bool:
        """Say whether an attribute is a callable; one that is no method is kept from becoming one."""
        declared = inspect.getattr_static(cls, name)
        if isinstance(declared, staticmethod | classmethod):
            return True
        if not callable(declared):
            return False
        if not inspect.isfunction(declared) or "self" not in inspect.signature(declared).parameters:
            setattr(cls, name, staticmethod(declared))
        return True

    @classmethod
    def _take_perform(cls) -> None:
        declared = inspect.getattr_static(cls, "perform", None)
        if declared is None:
            return
        function = getattr(declared, "__func__", declared)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise DeclarationError(
                f"{cls.__qualname__}.perform yields, so calling it would do nothing: return the result, or "
                "enqueue what should follow."
            )
        skip = 0 if isinstance(declared, staticmethod) else 1
        cls._binder = Binder(function, label=f"{cls.__qualname__}.perform", skip=skip)
        cls._is_coroutine = inspect.iscoroutinefunction(function)
        cls._types = None

    @classmethod
    def _take_callbacks(cls) -> None:
        declared: dict[tuple[str, str, str], Callback] = {}
        for base in reversed(cls.__mro__):
            for callback in _own(base, "_declared_callbacks"):
                declared.pop(callback.key, None)
                declared[callback.key] = callback
        chain = declared.values()
        cls._enqueue_callbacks = tuple(c for c in chain if c.event == "enqueue")
        cls._perform_callbacks = tuple(c for c in chain if c.event == "perform")
        may_await = () if cls._is_coroutine or cls._binder is None else cls._perform_callbacks
        for callback in (*cls._enqueue_callbacks, *may_await):
            if callback.is_coroutine:
                raise DeclarationError(
                    f"{callback.function.__qualname__} is a coroutine function, and nothing awaits it: only "
                    "the before_perform and after_perform callbacks of an `async def perform` may be."
                )

    @classmethod
    def _declare_callback(cls, callback: Callback) -> None:
        _own_list(cls, "_declared_callbacks").append(callback)

    @classmethod
    def _declare_after_discard(cls, name: str) -> None:
        _own_list(cls, "_declared_after_discard").append(name)

    @classmethod
    def _declare_rule(cls, rule: Rule, *, last: bool = False) -> None:
        rules = _own_list(cls, "_declared_rules")
        rules.insert(len(rules) if last else 0, rule)
        cls._forget_rules()

    @classmethod
    def _declare_unique(cls, rule: UniqueRule) -> None:
        cls._declared_once("_unique", "unique")
        cls._unique = rule
        cls._keep_apart()

    @classmethod
    def _declare_limit(cls, rule: LimitRule) -> None:
        cls._declared_once("_limit", "limits_concurrency")
        cls._limit = rule
        cls._keep_apart()

    @classmethod
    def _declared_once(cls, attribute: str, decorator: str) -> None:
        if attribute in cls.__dict__:
            raise DeclarationError(
                f"{cls.__qualname__} is declared @{decorator} twice, and a job has one such declaration: "
                "leave one of them out."
            )

    @classmethod
    def _keep_apart(cls) -> None:
        # Most applications keep no jobs apart.
        from .locks.exclusion import Exclusion

        cls._exclusion = Exclusion(cls._unique, cls._limit)
        cls._exclusion.check(cls.job_class)

    @classmethod
    def _forget_rules(cls) -> None:
        cls._rule_cache = {}
        for child in cls.__subclasses__():
            child._forget_rules()

    @classmethod
    def _rule_for(cls, error_class: type[BaseException]) -> Rule | None:
        try:
            return cls._rule_cache[error_class]
        except KeyError:
            rule = cls._rule_cache[error_class] = nearest_rule(cls._rules(), error_class)
            return rule

    @classmethod
    def _rules(cls) -> Iterator[Rule]:
        return (rule for base in cls.__mro__ for rule in _own(base, "_declared_rules"))

    @classmethod
    def _after_discard_methods(cls) -> Iterable[str]:
        bases = reversed(cls.__mro__)
        return dict.fromkeys(
            name for base in bases for name in _own(base, "_declared_after_discard")
        )

    @classmethod
    def _argument_types(cls) -> Mapping[str, type]:
        if cls._types is None:
            perform = cls.job_class.perform
            cls._types = annotated_types(inspect.unwrap(getattr(perform, "__func__", perform)))
        return cls._types

    @classmethod
    def _signature(cls) -> Binder:
        if cls._binder is None:
            raise DeclarationError(
                f"{cls.__qualname__} has no `perform`, so there is nothing to run: write one, or enqueue a "
                "class derived from it."
            )
        return cls._binder


def _check_switch(cls: type[JobDeclaration], name: str) -> None:
    value = getattr(cls, name)
    if not isinstance(value, bool):
        raise DeclarationError(
            f"{cls.__qualname__}.{name} is {value!r}, which is neither True nor False."
        )


def _listen_for_commits() -> None:
    """Let what knows transactions begin to listen, before the first of them begins."""
    from .enqueueing.commits import sources_in_use

    sources_in_use()


def _own(cls: type, attribute: str) -> list[Any]:
    return cls.__dict__.get(attribute) or []


def _own_list(cls: type, attribute: str) -> list[Any]:
    if attribute not in cls.__dict__:
        setattr(cls, attribute, [])
    return cls.__dict__[attribute]  # type: ignore[no-any-return]
