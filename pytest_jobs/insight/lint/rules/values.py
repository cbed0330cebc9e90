"""What an argument of a call is, as far as its function says: a record, a date, a number of seconds."""

from __future__ import annotations

import ast
from typing import Final

from ...source.jobs import constant, keywords, without_none
from ...source.module import Module
from ...source.project import Project

#: Method names of managers and sessions that return one record.
_FETCHES: Final = frozenset(
    ("get", "first", "last", "create", "earliest", "latest", "aget", "afirst", "acreate")
)
_QUERIES: Final = frozenset(("all", "filter", "exclude", "order_by", "select_related", "iterator"))
#: Attributes of a request or of a view of Django that hold a record.
_HELD: Final = frozenset(("request.user", "self.request.user", "self.object"))
#: Calls whose value is another one each time.
_NOW: Final = (
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today",
    "django.utils.timezone.now", "django.utils.timezone.localdate", "datetime.datetime", "datetime.date",
)  # fmt: skip
_UNITS: Final = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def record_in(value: ast.expr, module: Module, project: Project, *, as_json: bool) -> str:
    """Return what kind of record an argument is; empty when it is none, or nobody can say.

    Args:
        value: the argument.
        module: where it is passed.
        project: the project.
        as_json: whether an object of a class has no form in the message.
    """
    if isinstance(value, ast.Attribute):
        return "the record of a user or of a view" if ast.unparse(value) in _HELD else ""
    if isinstance(value, ast.Name):
        return _named(value, module, project, as_json=as_json)
    return _fetched(value)


def _named(value: ast.Name, module: Module, project: Project, *, as_json: bool) -> str:
    function = module.function_around(value)
    arguments = [] if function is None else [one.arg for one in function.args.args]
    if value.id == "self":
        around = (one for one in module.around(value) if isinstance(one, ast.ClassDef))
        cls = next(around, None)
        return f"a {cls.name}" if cls is not None and project.is_model(module, cls) else ""
    if value.id == "instance" and "sender" in arguments:
        return "the record of a signal"
    annotation = module.annotation(value.id, value)
    if annotation is not None:
        found = project.find_class(module, without_none(annotation))
        is_record = found is not None and (
            project.is_model(*found) or (as_json and _has_fields(*found))
        )
        return f"a {found[1].name}" if found is not None and is_record else ""
    for node in module.around(value):
        if isinstance(node, ast.For | ast.AsyncFor) and ast.unparse(node.target) == value.id:
            rows: ast.expr | None = node.iter
            if isinstance(rows, ast.Name):
                rows = module.local_value(rows.id, rows)
            return "a record" if is_query(rows) else ""
        if node is function:
            break
    return _fetched(module.local_value(value.id, value))


def _has_fields(module: Module, cls: ast.ClassDef) -> bool:
    """Say whether a class keeps fields of its own, which JSON cannot write."""
    if f"{cls.name}.__init__" in module.functions:
        return not cls.bases
    called = [one.func if isinstance(one, ast.Call) else one for one in cls.decorator_list]
    return any(module.origin(one) == "dataclasses.dataclass" for one in called)


def _fetched(value: ast.expr | None) -> str:
    """Return what a call has fetched: `Order.objects.get(...)`, `form.save()`."""
    value = value.value if isinstance(value, ast.Await) else value
    if not isinstance(value, ast.Call):
        return ""
    if ast.unparse(value.func) in ("form.save", "self.form.save", "get_object_or_404"):
        return "a record"
    if not isinstance(value.func, ast.Attribute) or value.func.attr not in _FETCHES:
        return ""
    receiver = ast.unparse(value.func.value)
    root = receiver.partition(".objects")[0]
    return f"a {root}" if ".objects" in receiver and ".values" not in receiver else ""


def is_query(value: ast.expr | None) -> bool:
    """Say whether an expression is a query of Django that gives records."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    text = ast.unparse(value.func)
    return value.func.attr in _QUERIES and ".objects." in text and ".values" not in text


def date_made_by(value: ast.expr, module: Module) -> bool:
    """Say whether an argument is a date or a datetime that its function makes."""
    found: ast.expr | None = value
    if isinstance(value, ast.Name):
        found = module.local_value(value.id, value)
    while isinstance(found, ast.BinOp):
        found = found.left
    return isinstance(found, ast.Call) and module.origin(found.func) in _NOW


def is_naive(node: ast.expr, module: Module) -> bool:
    """Say whether an expression is a datetime without a timezone: `datetime.now()`, also plus something."""
    while isinstance(node, ast.BinOp):
        node = node.left
    if not isinstance(node, ast.Call):
        return False
    origin, named = module.origin(node.func), keywords(node)
    if origin in ("datetime.datetime.utcnow", "datetime.datetime.utcfromtimestamp"):
        return True
    if origin == "datetime.datetime.now":
        return not node.args and "tz" not in named
    return origin == "datetime.datetime" and len(node.args) < 8 and "tzinfo" not in named


def seconds_of(node: ast.expr, module: Module, near: ast.AST) -> float | None:
    """Return the number of seconds that an expression is; None when it is not written there."""
    if isinstance(node, ast.Name):
        value = module.local_value(node.id, near)
        return None if value is None else seconds_of(value, module, near)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Add):
        left, right = seconds_of(node.left, module, near), seconds_of(node.right, module, near)
        if left is None or right is None:
            return None
        return left * right if isinstance(node.op, ast.Mult) else left + right
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "total_seconds":
            return seconds_of(node.func.value, module, near)
        if module.origin(node.func) != "datetime.timedelta":
            return None
        given = keywords(node) | ({"days": node.args[0]} if node.args else {})
        numbers = {name: constant(value) for name, value in given.items()}
        total = 0.0
        for name, number in numbers.items():
            if name not in _UNITS or not isinstance(number, int | float):
                return None
            total += number * _UNITS[name]
        return total
    number = constant(node)
    return float(number) if isinstance(number, int | float) else None
