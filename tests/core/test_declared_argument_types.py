"""Enums and dataclasses travel where the job's annotations, or the application, name them."""

import enum
import sys
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Literal, NewType, Optional, TypeVar

import pytest
from tables import each_row

from pytest_jobs import Job, argument_type, job
from pytest_jobs.errors import DeclarationError, SerializationError

T = TypeVar("T")
forever = "forever"


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"
    CRIMSON = "red"  # noqa: PIE796


class Shade(enum.Enum):
    DARK = 1


@dataclass
class Dye:
    color: Color
    shade: Optional["Shade"] = None
    limit: ClassVar[int] = 3


@dataclass
class NamedDye(Dye):
    name: str = ""


@dataclass
class Tree:
    color: Color
    children: "list[Tree]"


@dataclass
class Box(Generic[T]):
    content: T


def _performed(annotation, value):
    class Paint(Job):
        def perform(self, value: annotation):
            return value

    return Paint.perform_now(value)


@each_row(
    "annotation",
    [
        Color,
        Color | None,
        Optional[Color],  # noqa: UP045
        list[Color],
        dict[str, list[Color | None]],
        tuple[int, Color],
        Annotated[Color, "a color"],
        "Color",
        "Color | None",
        list["Color"],
        Optional["Color"],
        list[Optional["Color"]],
        "'Color'",
        Dye,
        NamedDye,
        list[NamedDye],
        Tree,
        Box[Color],
        NewType("Paint", Color),
        list[NewType("Paint", Dye)],
    ],
)
def test_an_enum_travels_where_the_annotation_names_it_at_any_depth(annotation):
    assert _performed(annotation, [Color.RED, {"a": (Color.GREEN,)}]) == [
        Color.RED,
        {"a": (Color.GREEN,)},
    ]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` is a statement of Python 3.12")
@pytest.mark.parametrize(
    "statement",
    [
        "type Found = Color",
        "type Found = list[Color | Found]",
        "type Other = Color; type Found = dict[str, Other]",
        "type Found[T] = list[T] | Color",
    ],
)
def test_an_enum_travels_where_a_type_statement_names_it(statement):
    namespace = {"Color": Color}
    exec(statement, namespace)

    assert _performed(namespace["Found"], Color.RED) is Color.RED


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` is a statement of Python 3.12")
def test_a_type_statement_may_name_what_is_not_imported(adapter):
    exec("type Found = Missing", namespace := {})

    with pytest.raises(SerializationError, match="which the job does not declare"):
        _performed(namespace["Found"], Color.RED)


@each_row(
    ("annotation", "value"),
    [
        (Dye, Dye(Color.RED, Shade.DARK)),
        (list[Dye], [Dye(Color.RED), Dye(Color.GREEN)]),
        (NamedDye, NamedDye(Color.RED, Shade.DARK, "Ann")),
        (Tree, Tree(Color.RED, [Tree(Color.GREEN, [])])),
        (Box, Box([1])),
        (Box[int], Box(1)),
        (Box[Color], Box(Color.RED)),
    ],
)
def test_a_dataclass_travels_with_what_its_fields_name(annotation, value):
    assert _performed(annotation, value) == value


@pytest.mark.parametrize(
    "annotation",
    [
        *(Any, object, enum.Enum, Shade, "Missing", "1 +", "forever"),
        *(Literal["Color"], Annotated[int, "Color"], Box[int]),
    ],
    ids=repr,
)
def test_an_enum_does_not_travel_where_no_annotation_of_an_argument_names_it(adapter, annotation):
    class Paint(Job):
        def perform(self, value: annotation) -> Color:
            return value

    with pytest.raises(SerializationError, match="Color, which the job does not declare"):
        Paint.perform_now(Color.RED)


def test_the_annotations_of_each_kind_of_job_count():
    @job
    def paint(color: Color):
        return color

    class Paint(Job):
        def perform(self, value: Color):
            return value

    class PaintTwice(Paint):
        pass

    class Shadow(Paint):
        def perform(self, value: Shade):
            return value

    for each in (paint, Paint, PaintTwice):
        assert each.perform_now(Color.RED) is Color.RED
    assert Shadow.perform_now(Shade.DARK) is Shade.DARK
    with pytest.raises(SerializationError):
        Shadow.perform_now(Color.RED)
    assert _performed(Color, Color.CRIMSON) is Color.RED
    assert _performed(set[Color], {Color.RED, Color.GREEN}) == {Color.RED, Color.GREEN}


@argument_type
class Registered(enum.Enum):
    ONE = 1


class Stamp(enum.Enum):
    BLUE = 1


@argument_type
@dataclass
class Parcel:
    stamp: Stamp


def test_a_registered_class_travels_in_every_job_with_what_its_fields_name():
    assert _performed(Any, [Registered.ONE]) == [Registered.ONE]
    assert _performed(Any, Parcel(Stamp.BLUE)) == Parcel(Stamp.BLUE)
    assert (isinstance(Registered, type), Parcel.__name__) == (True, "Parcel")


def test_what_is_neither_an_enum_nor_a_dataclass_is_not_registered():
    with pytest.raises(DeclarationError) as raised:

        @argument_type
        class User:
            pass

    name = "test_what_is_neither_an_enum_nor_a_dataclass_is_not_registered.<locals>.User"
    assert str(raised.value) == (
        f"{name} is neither an enum nor a dataclass, so a payload cannot carry it: pass its id, or declare "
        "it a record with `@reference(id=..., find=...)`."
    )


def test_a_class_of_the_same_name_does_not_travel_in_its_place(adapter):
    def make():
        class Hue(enum.Enum):
            RED = 1

        return Hue

    first, second = make(), make()

    class Paint(Job):
        def perform(self, hue: first):
            return hue

    assert Paint.perform_now(first.RED) is first.RED
    with pytest.raises(SerializationError, match="Hue, which the job does not declare"):
        Paint.perform_later(second.RED)
