"""Configuration of the Sphinx documentation."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.transforms import SphinxTransform

import pytest_jobs

if TYPE_CHECKING:
    from docutils.nodes import Element, reference
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "pytest-jobs"
author = "the pytest-jobs developers"
copyright = "2026, the pytest-jobs developers"  # noqa: A001  Sphinx reads this name
version = release = version_of("pytest-jobs")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_inline_tabs",
]
default_role = "literal"  # what docstrings have in single backquotes is code
# Decisions are for people who change the package, who read them in the repository.
exclude_patterns = ["_build", "decisions", "**/.*"]
templates_path: list[str] = []

html_theme = "furo"
html_title = f"pytest-jobs {version}"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True

nitpicky = True


def _imported() -> set[str]:
    """Return the names that the package imports from elsewhere, as annotations mention them."""
    names: set[str] = set()
    for path in Path(pytest_jobs.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import) or (
                isinstance(node, ast.ImportFrom) and not node.level
            ):
                names.update(alias.asname or alias.name for alias in node.names)
    return names


# The documentation is built offline, so what others define cannot be linked.
_elsewhere = sys.stdlib_module_names | {"_pytest", "hypothesis", "pluggy", "pytest"} | _imported()
nitpick_ignore_regex = [
    (r"py:.*", rf"(?:{'|'.join(map(re.escape, sorted(_elsewhere)))})(?:\..*)?"),
    (r"py:class", "ExplorationReport"),  # a protocol that type checkers alone see
    (r"py:class", r".*\.limits\.TimeLimit"),  # what a bridge asks whether the limit was passed
    (r"py:class", "CallKind"),  # a choice of words, which the parameter `mocks` lists
    (r"py:.*", r"(?:.*\.)?_?[A-Z](?:_co|_contra)?(?:\.args|\.kwargs)?"),  # type variables
]


def resolve_own_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: Element
) -> reference | None:
    """Link a name of ours, whatever module an annotation puts it in, to where it is documented."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or ("." in target and not target.startswith("pytest_jobs.")):
        return None
    node["refspecific"] = True
    name = target.rpartition(".")[2]
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], name, node, contnode
    )


def keep_colons(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Keep napoleon from taking what stands before the first colon of an attribute for its type."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment


class Captions(SphinxTransform):
    """Make the name of a file above a block, written as **`shop.py`**, the caption of the block."""

    default_priority = 200  # before Sphinx looks for captions

    def apply(self, **options: object) -> None:
        for block in list(self.document.findall(nodes.literal_block)):
            above = block.previous_sibling()
            if not isinstance(above, nodes.paragraph):
                continue
            match [node for node in above.children if node.astext()]:
                case [nodes.strong(children=[nodes.literal()])]:
                    caption = nodes.caption("", above.astext())
                    wrapper = nodes.container(
                        "", caption, literal_block=True, classes=["literal-block-wrapper"]
                    )
                    above.parent.remove(above)
                    block.parent.replace(block, wrapper)
                    wrapper += block


def setup(app: Sphinx) -> None:
    """Register what this file adds to Sphinx."""
    app.add_transform(Captions)
    app.connect("missing-reference", resolve_own_name)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon
