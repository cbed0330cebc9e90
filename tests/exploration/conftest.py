"""What several tests of explorations have."""

import pytest
from explored_project import catalogue
from servers import postgresql_url  # noqa: F401 - a fixture


@pytest.fixture
def articles():
    """Fill the catalogue of the project with more objects than a check looks at in each history."""
    catalogue.articles[:] = map(catalogue.Article, range(2_000))
    yield catalogue.articles
    catalogue.articles.clear()
