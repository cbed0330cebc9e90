"""The requirements of a project: what its dependency files name, each read by the parser of its language."""

from __future__ import annotations

import ast
import configparser
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

#: The files in which requirements stand, by the end of their names.
LOCKS: Final = ("poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock")
_LINE: Final = re.compile(
    r"(?:^|/)(?:requirements|constraints)[\w.-]*\.(?:txt|in)$|(?:^|/)requirements/[\w.-]+\.(?:txt|in)$"
)

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*\w|\w")


class Requirement(NamedTuple):
    """One line of a dependency file."""

    #: Normalised: lower case, hyphens.
    name: str
    #: The version of a lock, or the specifier as it is written; empty for any.
    version: str
    line: int
    is_locked: bool


def holds_requirements(path: str) -> bool:
    """Say whether a file names requirements, as far as its name tells."""
    name = path.rpartition("/")[2]
    return name in (*LOCKS, "pyproject.toml", "Pipfile", "setup.cfg", "setup.py") or bool(
        _LINE.search(path)
    )


def requirements_in(path: str, text: str) -> list[Requirement]:
    """Return the requirements that a file names.

    Raises:
        ValueError: when the file cannot be read as what its name says.
    """
    name = path.rpartition("/")[2]
    try:
        if name == "Pipfile.lock":
            found = _of_pipfile_lock(json.loads(text))
        elif name in LOCKS:
            found = _of_lock(tomllib.loads(text))
        elif name == "pyproject.toml":
            found = _of_pyproject(tomllib.loads(text))
        elif name == "Pipfile":
            found = _of_pipfile(tomllib.loads(text))
        elif name == "setup.cfg":
            found = _of_setup_cfg(text)
        elif name == "setup.py":
            found = _of_setup(ast.parse(text))
        else:
            found = _of_lines(text.splitlines())
        lines = _lines_by_name(text)
        return [
            Requirement(_normal(one), version, lines.get(_normal(one), 1), name in LOCKS)
            for one, version in found
        ]
    except (AttributeError, TypeError, RecursionError, SyntaxError, configparser.Error) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


Found = Iterator[tuple[str, str]]


def _of_lines(lines: Iterable[object]) -> Found:
    from packaging.requirements import InvalidRequirement, Requirement as Parsed

    for line in lines:
        text = re.split(r"(?:^|\s)#|\s--hash|\s*\\$", str(line))[0].strip()
        if not text or text.startswith("-"):
            continue
        try:
            parsed = Parsed(text)
        except InvalidRequirement:
            continue  # a path or an address, which names no package
        yield parsed.name, str(parsed.specifier)


def _of_pyproject(content: Mapping[str, Any]) -> Found:
    project = content.get("project", {})
    yield from _of_lines(project.get("dependencies", ()))
    for group in project.get("optional-dependencies", {}).values():
        yield from _of_lines(group)
    for group in content.get("dependency-groups", {}).values():
        yield from _of_lines(one for one in group if isinstance(one, str))
    tool = content.get("tool", {})
    for group in tool.get("pdm", {}).get("dev-dependencies", {}).values():
        yield from _of_lines(group)
    yield from _of_lines(tool.get("uv", {}).get("dev-dependencies", ()))
    poetry = tool.get("poetry", {})
    groups = [poetry, *poetry.get("group", {}).values()]
    for group in groups:
        for key in ("dependencies", "dev-dependencies"):
            yield from _of_table(group.get(key, {}))


def _of_table(table: Mapping[str, Any]) -> Found:
    for name, value in table.items():
        version = value.get("version", "") if isinstance(value, Mapping) else value
        if name != "python":
            yield name, "" if version == "*" else str(version)


def _of_pipfile(content: Mapping[str, Any]) -> Found:
    for section in ("packages", "dev-packages"):
        yield from _of_table(content.get(section, {}))


def _of_pipfile_lock(content: Mapping[str, Any]) -> Found:
    for section in ("default", "develop"):
        for name, value in content.get(section, {}).items():
            yield name, str(value.get("version", "")).removeprefix("==")


def _of_lock(content: Mapping[str, Any]) -> Found:
    for package in content.get("package", ()):
        yield str(package["name"]), str(package.get("version", ""))


def _of_setup_cfg(text: str) -> Found:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    yield from _of_lines(parser.get("options", "install_requires", fallback="").splitlines())
    if parser.has_section("options.extras_require"):
        for _, lines in parser.items("options.extras_require"):
            yield from _of_lines(lines.splitlines())


def _of_setup(tree: ast.Module) -> Found:
    """Read what a call of `setup` names, in literals and in variables of the module. Nothing is run."""
    variables = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("setup", "setuptools.setup"):
            for keyword in node.keywords:
                if keyword.arg in ("install_requires", "tests_require", "extras_require"):
                    yield from _of_lines(_texts_in(keyword.value, variables))


def _texts_in(node: ast.expr | None, variables: Mapping[str, ast.expr]) -> Iterator[str]:
    """Yield the texts of an expression: of lists, of values of dictionaries, and of variables, each once."""
    if isinstance(node, ast.Name):
        others = {name: value for name, value in variables.items() if name != node.id}
        yield from _texts_in(variables.get(node.id), others)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from node.value.splitlines()
    else:
        inner: list[ast.expr] = []
        if isinstance(node, ast.List | ast.Tuple):
            inner = node.elts
        elif isinstance(node, ast.Dict):
            inner = node.values
        elif isinstance(node, ast.BinOp):
            inner = [node.left, node.right]
        elif isinstance(node, ast.Starred):
            inner = [node.value]
        for one in inner:
            yield from _texts_in(one, variables)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _lines_by_name(text: str) -> dict[str, int]:
    """Return the first line of each word that may be the name of a package, in one look at the text."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        # Of a long line, such as one of hashes, the name comes first.
        for word in _NAME.findall(line[:500]):
            found.setdefault(_normal(word), number)
    return found
