"""Annotations that are text, as `from __future__ import annotations` makes them, are understood."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_jobs import Job, job
from pytest_jobs.errors import SerializationError

if TYPE_CHECKING:
    from nowhere import Missing


class Color(enum.Enum):
    RED = "red"


@dataclass
class Dye:
    color: Color | None
    again: Dye | None = None


class Paint(Job):
    def perform(self, first: list[Color], dye: Dye | None = None, other: Missing | None = None):
        return first, dye, other


@job
def paint(color: "Color"):  # noqa: UP037
    return color


def test_an_enum_and_a_dataclass_travel():
    dye = Dye(Color.RED, Dye(None))

    assert Paint.perform_now([Color.RED], dye=dye) == ([Color.RED], dye, None)


def test_an_annotation_that_is_quoted_too_is_understood():
    assert paint.perform_now(Color.RED) is Color.RED


def test_a_local_class_cannot_be_found_by_its_name(adapter):
    class Local(enum.Enum):
        ONE = 1

    class PaintLocal(Job):
        def perform(self, local: Local):
            pass

    with pytest.raises(SerializationError, match="Local, which the job does not declare"):
        PaintLocal.perform_later(Local.ONE)
