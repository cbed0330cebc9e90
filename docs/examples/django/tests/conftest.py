from __future__ import annotations

import pytest

from loans.models import Book


@pytest.fixture
def book(db: None) -> Book:
    return Book.objects.create(title="Emma", isbn="9780141439587")
