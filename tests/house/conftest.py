"""Syntax trees of the package, which tests of one module have in common."""

import package_modules
import pytest


@pytest.fixture(autouse=True, scope="module")
def _trees_are_forgotten():
    """Forget the trees, which are larger than all else that a process of tests keeps."""
    yield
    package_modules.tree.cache_clear()
