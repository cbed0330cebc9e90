"""A job without its verbs: what its class declares, and the data of one requested run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar, cast

from ...errors import DeclarationError, SignatureError
from .callbacks import Callback
from .options import Options, checked_priority, checked_queue
from .payload import Execution, Payload
from .protocols import Adapter
from .registry import name_of, registry
from .rules import AfterDiscard, RescueRule, Rule, nearest_rule
from .signature import Binder
from .types import annotated_types
from .vocabulary import check_no_foreign_settings


class Membership(NamedTuple):
    """The place of a job in a batch."""

    batch_id: str
    #: The id that the job has whenever it is enqueued in this batch.
    job_id: str


class JobBase:
    """A job without its verbs, which `Job` adds.

    Names with two underscores on both sides are ours: subclasses are written by applications, and
    cannot collide with them.
    """

    #: The name of the queue, or a callable that takes the arguments of the job and returns it.
    queue: str | Callable[..., str] = "default"
    #: The lower number is performed first; None counts as 0. Or a callable that returns it, as of the queue.
    priority: int | Callable[..., int | None] | None = None

    #: Whether logs may show the arguments; False for what is secret.
    log_arguments: ClassVar[bool] = True

    #: Whether a job waits, to be enqueued, for the commit of the transactions that are open.
    enqueue_after_commit: ClassVar[bool] = False

    #: The class itself; for a job function the class behind it.
    job_class: ClassVar[type[Any]]
    #: What the application calls the job: the class, or the job function.
    public: ClassVar[Any]

    #: What the class declares, inherited declarations included.
    __declaration__: ClassVar[Declaration]

    #: The positional arguments.
    args: tuple[Any, ...] = ()
    #: The keyword arguments.
    kwargs: Mapping[str, Any] = {}
    #: What was handed to the adapter, or is being performed; None before.
    payload: Payload | None = None
    #: Whether an adapter took the job; of one that waits for a commit, whether it is still to.
    enqueued: bool = False
    #: Why none did: the adapter's `EnqueueError`, the `Halt` of a callback, or a `RolledBackError`.
    enqueue_error: Exception | None = None
    #: The id of the job for which this one was dropped, by `unique` or `limits_concurrency`.
    dropped_for: str | None = None

    #: The options of `set`; None without any.
    __options__: Options | None = None
    #: The current attributes that were set where the job was made; None where no class of them exists.
    __context__: Mapping[Any, Mapping[str, Any]] | None = None
    #: The batch that the job is enqueued in; None for no batch.
    __membership__: Membership | None = None
    #: The `execution.Run` that performs the job; None before.
    __run__: Any = None

    if TYPE_CHECKING:

        def perform(self, *args: Any, **kwargs: Any) -> Any:
            """Do the work: written by each job class."""

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
        check_no_foreign_settings(cls)
        cls.job_class = cls
        cls.public = cls.__dict__.get("public", cls)
        Declaration.of(cls).complete()
        registry.add(cls)

    @property
    def job_id(self) -> str:
        """The id, the same over all attempts; empty before the job was enqueued."""
        return "" if self.payload is None else self.payload.job_id

    @property
    def params(self) -> dict[str, Any]:
        """The arguments by parameter name, however they were passed, defaults filled in."""
        return self.__declaration__.signature.named(self.args, dict(self.kwargs))

    @property
    def attempt(self) -> int:
        """The number of this run, counted from 1."""
        return 1 if self.payload is None else self.payload.attempt

    def __repr__(self) -> str:
        shown = [
            *map(repr, self.args),
            *(f"{name}={value!r}" for name, value in self.kwargs.items()),
        ]
        return f"<{type(self).__qualname__}({', '.join(shown)}) job_id={self.job_id[:8]!r}>"


class Exclusion(Protocol):
    """Keeps the jobs of one class apart, by a lock or a limit: `locks.exclusion.Exclusion`."""

    def renew(self, declaration: Declaration) -> None:
        """Give a class that inherits this one an exclusion of its own."""
        ...

    def write_keys(self, job: JobBase, payload: Payload | None) -> None:
        """Write the keys of a job into its payload; without a payload, check that they can be made."""
        ...

    @property
    def replaces(self) -> bool:
        """Whether a job takes back the one that has its lock."""
        ...

    def admit_together(self, ready: Sequence[tuple[JobBase, Payload]]) -> None:
        """Take the locks and places of many jobs; one that is kept out gets `dropped_for`."""
        ...

    def give_back(self, payload: Payload, adapter: Adapter) -> None:
        """Give back the lock and the place of a job that was not enqueued."""
        ...

    def enqueue(self, job: JobBase, payload: Payload, adapter: Adapter) -> bool:
        """Hand a payload to the adapter, unless another job keeps it out; return whether it did."""
        ...

    def enter(self, payload: Payload) -> Execution | None:
        """Take what a run needs; return the execution of a run that may not begin."""
        ...

    def leave(self, payload: Payload, status: str, wait_ns: int | None) -> None:
        """Give back what the run had."""
        ...


class Declaration:
    """What one job class declares. What its base classes declare is looked up when it is needed."""

    __slots__ = (
        "_argument_types",
        "_found_rules",
        "after_discard",
        "binder",
        "callbacks",
        "discard_methods",
        "enqueue_callbacks",
        "exclusion",
        "is_coroutine",
        "job_class",
        "limit",
        "name",
        "perform_callbacks",
        "rules",
        "unique",
    )

    def __init__(self, job_class: type[JobBase]) -> None:
        self.job_class = job_class
        #: The name under which the class travels.
        self.name = name_of(job_class)
        #: Binds arguments to the parameters of `perform`; None for a class without `perform`.
        self.binder: Binder | None = None
        #: Whether `perform` is a coroutine function.
        self.is_coroutine = False
        #: The rules of this very class, the topmost first.
        self.rules: list[Rule] = []
        #: The callbacks of this very class, in order.
        self.callbacks: list[Callback] = []
        #: The names of the `after_discard` methods of this very class.
        self.after_discard: list[str] = []
        #: The `UniqueRule` and the `LimitRule` of this very class.
        self.unique: Any = None
        self.limit: Any = None
        #: All callbacks of the enqueue, inherited ones included, in the order in which they run.
        self.enqueue_callbacks: tuple[Callback, ...] = ()
        #: All callbacks of `perform`.
        self.perform_callbacks: tuple[Callback, ...] = ()
        #: The names of all methods that run when a job is given up, parents first.
        self.discard_methods: tuple[str, ...] = ()
        #: Keeps the jobs of the class apart; None for nearly every class.
        self.exclusion: Exclusion | None = None
        self._found_rules: dict[type[BaseException], Rule | None] = {}
        self._argument_types: Mapping[str, type] | None = None

    @classmethod
    def of(cls, job_class: type[JobBase]) -> Declaration:
        """Return the declaration of this very class, which is made when it is first asked for.

        A decorated method asks for it before the class is complete.
        """
        if "__declaration__" not in vars(job_class):
            job_class.__declaration__ = cls(job_class)
        return job_class.__declaration__

    def lineage(self) -> Iterator[Declaration]:
        """Yield this declaration and those of the base classes, the nearest first."""
        for base in self.job_class.__mro__:
            if "__declaration__" in vars(base):
                yield vars(base)["__declaration__"]

    def heirs(self) -> Iterator[Declaration]:
        """Yield the declarations of the classes that derive from this one at once."""
        for child in self.job_class.__subclasses__():
            yield Declaration.of(child)

    # Asking

    @property
    def signature(self) -> Binder:
        """The binder of a class that has `perform`.

        Raises:
            DeclarationError: when it has none.
        """
        if self.binder is None:
            raise DeclarationError(
                f"{self.job_class.__qualname__} has no `perform`, so there is nothing to run: write one, or "
                "enqueue a class derived from it."
            )
        return self.binder

    def argument_types(self) -> Mapping[str, type]:
        """Return the enums and dataclasses that the annotations of `perform` name."""
        if self._argument_types is None:
            perform = self.job_class.perform
            function = inspect.unwrap(getattr(perform, "__func__", perform))
            self._argument_types = annotated_types(function)
        return self._argument_types

    def all_rules(self) -> Iterator[Rule]:
        """Yield the rules, inherited ones last."""
        return (rule for declaration in self.lineage() for rule in declaration.rules)

    def find_rule(self, error: BaseException) -> tuple[Rule, BaseException] | None:
        """Return the rule for an error, or for the first of its causes that has one, with that error."""
        found = self._found_rules  # As it is now: another thread may declare a rule meanwhile.
        seen: set[int] = set()
        candidate: BaseException | None = error
        while candidate is not None and id(candidate) not in seen:
            seen.add(id(candidate))
            kind = type(candidate)
            if kind not in found:
                found[kind] = nearest_rule(self.all_rules(), kind)
            rule = found[kind]
            if rule is not None:
                return rule, candidate
            candidate = candidate.__cause__
        return None

    # Declaring

    def add_rule(self, rule: Rule, *, last: bool = False) -> None:
        """Add a rule of a decorator above the class: the lowest is the first that is added."""
        self.rules.insert(len(self.rules) if last else 0, rule)
        self._forget_found_rules()

    def _forget_found_rules(self) -> None:
        self._found_rules = {}
        for heir in self.heirs():
            heir._forget_found_rules()

    def add_method(self, meaning: Meaning, name: str) -> None:
        """Add a decorated method of the class, under the name that it has there."""
        if isinstance(meaning, AfterDiscard):
            self.after_discard.append(name)
            return
        meaning.name = name
        if isinstance(meaning, Callback):
            self.callbacks.append(meaning)
        else:
            self.add_rule(meaning, last=True)

    def declare_once(
        self, attribute: Literal["unique", "limit"], decorator: str, rule: object
    ) -> None:
        """Set a rule of which a class has one.

        Raises:
            DeclarationError: when it has one already.
        """
        if getattr(self, attribute) is not None:
            raise DeclarationError(
                f"{self.job_class.__qualname__} is declared @{decorator} twice, and a job has one such "
                "declaration: leave one of them out."
            )
        setattr(self, attribute, rule)

    def complete(self) -> None:
        """Check the class, at the end of its body, and look up the callbacks and locks that it inherits."""
        cls = self.job_class
        where = cls.__qualname__
        if not self._keep_callable("queue"):
            queue = checked_queue(cls.queue, f"{where}.queue")
            # Set here, an inherited one would hide that of the next base of a subclass.
            if queue is not cls.queue:
                cls.queue = queue
        if not self._keep_callable("priority"):
            checked_priority(cls.priority, f"{where}.priority")
        for switch in ("log_arguments", "enqueue_after_commit"):
            if not isinstance(value := getattr(cls, switch), bool):
                raise DeclarationError(
                    f"{where}.{switch} is {value!r}, which is neither True nor False."
                )
        self._compile_perform()
        self._order_methods()
        for base in self.lineage():
            if base.exclusion is not None:
                base.exclusion.renew(self)
                break

    def _keep_callable(self, name: str) -> bool:
        """Return whether an attribute is a callable; a function that is not a method is kept from becoming one."""
        declared = inspect.getattr_static(self.job_class, name)
        if isinstance(declared, staticmethod | classmethod):
            return True
        if not callable(declared):
            return False
        if not inspect.isfunction(declared) or "self" not in inspect.signature(declared).parameters:
            setattr(self.job_class, name, staticmethod(declared))
        return True

    def _compile_perform(self) -> None:
        declared = inspect.getattr_static(self.job_class, "perform", None)
        if declared is None:
            return
        label = f"{self.job_class.__qualname__}.perform"
        function = getattr(declared, "__func__", declared)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise DeclarationError(
                f"{label} yields, so calling it would do nothing: return the result, or "
                "enqueue what should follow."
            )
        skip = 0 if isinstance(declared, staticmethod) else 1
        self.binder = Binder(function, label=label, skip=skip)
        self.is_coroutine = inspect.iscoroutinefunction(function)

    def _order_methods(self) -> None:
        ordered: dict[tuple[str, str, str], Callback] = {}
        parents_first = list(self.lineage())[::-1]
        names = [name for base in parents_first for name in base.after_discard]
        self.discard_methods = tuple(dict.fromkeys(names))
        for base in parents_first:
            for callback in base.callbacks:
                # Declared again in a subclass, a callback runs at the place of the subclass.
                ordered.pop(callback.key, None)
                ordered[callback.key] = callback
        self.enqueue_callbacks = tuple(c for c in ordered.values() if c.event == "enqueue")
        self.perform_callbacks = tuple(c for c in ordered.values() if c.event == "perform")
        never_awaited = self.enqueue_callbacks
        if self.binder is not None and not self.is_coroutine:
            never_awaited += self.perform_callbacks
        for callback in never_awaited:
            if callback.is_coroutine:
                raise DeclarationError(
                    f"{callback.function.__qualname__} is a coroutine function, and nothing awaits it: only "
                    "the before_perform and after_perform callbacks of an `async def perform` may be."
                )


# Parts of decorators

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
#: What a decorated method of a job class is.
Meaning = Callback | RescueRule | AfterDiscard


class JobDecorator:
    """A decorator for job classes and job functions."""

    def __init__(self, name: str, declare: Callable[[Declaration], None]) -> None:
        #: The name under which it is written.
        self.name = name
        self._declare = declare

    def __call__(self, target: T) -> T:
        """Declare it of a job class or a job function, and return that.

        Raises:
            DeclarationError: when it is put above something else.
        """
        job_class = getattr(target, "job_class", None)
        if job_class is None:
            raise DeclarationError(
                f"@{self.name} decorates {target!r}, which is not a job: put it above a class derived from "
                "Job, or "
                "above @job."
            )
        self._declare(Declaration.of(job_class))
        return target

    def __repr__(self) -> str:
        return f"@{self.name}(...)"


class DecoratedMethod:
    """Takes the place of a decorated method in a class body until the class exists."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method
        self.meanings: list[Meaning] = []

    def __set_name__(self, owner: type, name: str) -> None:
        setattr(owner, name, self.method)
        if not issubclass(owner, JobBase):
            raise DeclarationError(
                f"{owner.__qualname__}.{name} is marked as a callback or handler of a job, and "
                f"{owner.__qualname__} is not a job class: derive it from Job."
            )
        for meaning in self.meanings:
            Declaration.of(owner).add_method(meaning, name)


def decorated(method: F, make: Callable[[Callable[..., Any]], Meaning]) -> F:
    """Give a method of a job class a meaning, made from it; several decorators give it several.

    Raises:
        DeclarationError: when it is not a function defined in a class body.
    """
    standing: object = method
    if not isinstance(standing, DecoratedMethod):
        if not callable(method) or isinstance(method, type):
            raise DeclarationError(
                f"{method!r} is not a method: decorate a `def` in the body of a job class."
            )
        standing = DecoratedMethod(method)
    standing.meanings.append(make(standing.method))
    return cast(F, standing)
