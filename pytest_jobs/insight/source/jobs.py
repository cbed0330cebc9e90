"""The jobs that a module declares, in the way of each job library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from ...bridges.libraries.known import EVERY, library_named
from .module import Function, Module

#: The libraries of decorators and of base classes, by their dotted names.
_DECORATORS: Final = {path: each.name for each in EVERY.values() for path in each.decorators}
_BASES: Final = {path: each for each in EVERY.values() for path in each.bases}
#: Method names of worker classes that a decorator makes.
_WORKER_BODY: Final = "process"
#: The name of the options that a call unpacks from elsewhere.
UNKNOWN: Final = "**"
#: Names in worker settings that list functions.
_SETTINGS: Final = ("functions", "cron_jobs", "on_startup")


class Lookup(Protocol):
    """What a name of the project stands for: the part of the project that is asked here."""

    def constructor(self, module: Module, node: ast.AST) -> str: ...
    def bases(self, module: Module, node: ast.ClassDef) -> list[str]: ...
    def find_function(
        self, module: Module, node: ast.AST
    ) -> tuple[Module, str, Function] | None: ...
    def only_library(self, *names: str) -> str: ...
    def is_of_others(self, module: Module, node: ast.AST) -> bool: ...


@dataclass(eq=False)
class DeclaredJob:
    """One job in the source."""

    #: Its dotted name.
    name: str
    #: The library that runs it: `core`, `celery`, `function` for one that the settings name.
    library: str
    module: Module
    #: What a worker runs; None for a class whose body is not in the file.
    body: Function
    #: What declares it: the decorator, the class, or the function itself.
    declared: ast.AST
    #: The class of the job, if it is one.
    cls: ast.ClassDef | None = None
    #: What its declaration says, by the name of the option.
    options: dict[str, ast.expr] = field(default_factory=dict)
    #: Whether the first parameter is the job itself, or the context of the worker.
    is_bound: bool = False

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def is_coroutine(self) -> bool:
        return isinstance(self.body, ast.AsyncFunctionDef)

    @property
    def parameters(self) -> list[ast.arg]:
        """The positional parameters that an enqueue fills."""
        arguments = self.body.args
        found = [*arguments.posonlyargs, *arguments.args]
        return found[1:] if self.is_bound else found

    def calls(self) -> Iterator[ast.Call]:
        """Yield the calls in the body, in the order of the source."""
        found = [node for node in ast.walk(self.body) if isinstance(node, ast.Call)]
        yield from sorted(found, key=lambda node: (node.lineno, node.col_offset))


def declared_jobs(module: Module, project: Lookup) -> Iterator[DeclaredJob]:
    """Yield the jobs that decorators, base classes and worker settings declare."""
    for name, function in module.functions.items():
        for decorator in function.decorator_list:
            library = _library_of(decorator, module, project)
            if library:
                yield _decorated(name, function, decorator, library, module)
                break
    for name, cls in module.classes.items():
        yield from _of_class(name, cls, module, project)
        yield from _later_twins(name, cls, module)
    yield from _in_worker_settings(module, project)


def _decorated(
    name: str, function: Function, decorator: ast.expr, library: str, module: Module
) -> DeclaredJob:
    options = unpacked(decorator, module) if isinstance(decorator, ast.Call) else {}
    if library == "taskiq" and isinstance(decorator, ast.Call) and decorator.args:
        options["task_name"] = decorator.args[0]
    first = function.args.args[0].arg if function.args.args else ""
    is_bound = is_true(options.get(EVERY[library].context_option))
    is_bound = is_bound or (library == "celery" and first == "self")
    return DeclaredJob(
        f"{module.name}.{name}", library, module, function, decorator, None, options, is_bound
    )


def _of_class(
    name: str, cls: ast.ClassDef, module: Module, project: Lookup
) -> Iterator[DeclaredJob]:
    base = next((_BASES[base] for base in project.bases(module, cls) if base in _BASES), None)
    library, method = ("", _WORKER_BODY) if base is None else (base.name, base.body)
    options = {}
    for decorator in cls.decorator_list:
        if _DECORATORS.get(module.origin(_called(decorator))) == "oban":
            library = "oban"
            options = unpacked(decorator, module) if isinstance(decorator, ast.Call) else {}
    body = module.functions.get(f"{name}.{method}")
    if not library or body is None:
        return
    options |= {
        target.id: node.value
        for node in cls.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    yield DeclaredJob(f"{module.name}.{name}", library, module, body, cls, cls, options, True)


def _later_twins(name: str, cls: ast.ClassDef, module: Module) -> Iterator[DeclaredJob]:
    """Yield the jobs of `deliver_later = later(deliver)` in the body of a class."""
    for node in cls.body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
            continue
        call, target = node.value, _target(node)
        if module.origin(call.func) != "pytest_jobs.later" or not (target and call.args):
            continue
        body = module.functions.get(f"{name}.{ast.unparse(call.args[0])}")
        if body is not None:
            yield DeclaredJob(
                f"{module.name}.{name}.{target}",
                "core",
                module,
                body,
                call,
                None,
                keywords(call),
                True,
            )


def _in_worker_settings(module: Module, project: Lookup) -> Iterator[DeclaredJob]:
    """Yield the functions of arq's `WorkerSettings` and of SAQ's settings."""
    lists: list[ast.expr] = []
    for cls in module.classes.values():
        if cls.name.endswith("Settings"):
            lists += [
                node.value
                for node in cls.body
                if isinstance(node, ast.Assign | ast.AnnAssign)
                and node.value is not None
                and _target(node) in _SETTINGS
            ]
    library = "arq" if lists else "saq"
    for value in module.assigned.values():
        if isinstance(value, ast.Dict):
            keys = [constant(key) for key in value.keys]
            if "functions" in keys and "queue" in keys:
                lists += [
                    item for key, item in zip(keys, value.values, strict=True) if key in _SETTINGS
                ]
    for listed in lists:
        for item in listed.elts if isinstance(listed, ast.List | ast.Tuple) else []:
            options = keywords(item) if isinstance(item, ast.Call) else {}
            found = project.find_function(module, _function_in(item))
            if found is not None:
                home, name, function = found
                yield DeclaredJob(
                    f"{home.name}.{name}", library, home, function, function, None, options, True
                )


def _function_in(item: ast.expr) -> ast.expr:
    """Return the function in an entry of worker settings: `f`, `func(f)`, `cron(f)`, `(name, f)`."""
    if isinstance(item, ast.Call):
        named = keywords(item)
        return item.args[0] if item.args else named.get("coroutine", named.get("function", item))
    return item.elts[-1] if isinstance(item, ast.Tuple) and item.elts else item


def _library_of(decorator: ast.expr, module: Module, project: Lookup) -> str:
    called = _called(decorator)
    library = _DECORATORS.get(module.origin(called), "")
    if library or not isinstance(called, ast.Attribute):
        return library
    candidates = [name for name, each in EVERY.items() if called.attr in each.methods]
    if not candidates:
        return ""
    made_by = library_named(project.constructor(module, called.value))
    if made_by:
        return made_by if made_by in candidates else ""
    is_foreign = project.is_of_others(module, called.value)
    return "" if is_foreign else project.only_library(*candidates)


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """Return the arguments that a call passes by their names."""
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}


def unpacked(call: ast.Call, module: Module) -> dict[str, ast.expr]:
    """Return the named arguments of a call, with the dictionaries of the module that it unpacks.

    A dictionary that the module does not write is under the name `**`; see `lacks`.
    """
    found: dict[str, ast.expr] = {}
    for keyword in call.keywords:
        value: ast.expr | None = keyword.value
        if keyword.arg is not None:
            found[keyword.arg] = keyword.value
            continue
        if isinstance(value, ast.Name):
            value = module.local_value(value.id, call)
        if not isinstance(value, ast.Dict):
            found[UNKNOWN] = keyword.value
            continue
        for key, item in zip(value.keys, value.values, strict=True):
            found[UNKNOWN if key is None else str(constant(key))] = item
    return found


def lacks(options: dict[str, ast.expr], *names: str) -> bool:
    """Say whether none of some options is given, also not by a dictionary that comes from elsewhere."""
    return not options.keys() & {UNKNOWN, *names}


def constant(node: ast.AST | None) -> object:
    """Return the value of a literal; None when the node is none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = constant(node.operand)
        return -value if isinstance(value, int | float) else None
    return node.value if isinstance(node, ast.Constant) else None


def is_true(node: ast.AST | None) -> bool:
    return constant(node) is True


def _called(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _target(node: ast.Assign | ast.AnnAssign) -> str:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return target.id if isinstance(target, ast.Name) else ""
