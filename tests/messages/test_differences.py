"""Two values that differ are shown side by side, or as a diff when they are long."""

import pytest

from pytest_jobs.assertions.criteria import difference


class Same:
    def __init__(self, length):
        self.length = length

    def __repr__(self):
        return "s" * self.length


def test_short_values_stand_in_one_line():
    assert difference([1], [2]) == ["expected [1], got [2]"]


@pytest.mark.parametrize(("left", "right"), [("a" * 58, 1), (1, "a" * 58)])
def test_sixty_characters_are_short(left, right):
    assert difference(left, right) == [f"expected {left!r}, got {right!r}"]


def test_long_values_are_a_diff_of_what_differs():
    expected = {f"key {index}": index for index in range(9)}

    assert difference(expected, {**expected, "key 4": "four"}) == [
        "- expected, + got:",
        "   'key 3': 3,",
        "-  'key 4': 4,",
        "+  'key 4': 'four',",
        "   'key 5': 5,",
    ]


def test_a_dict_keeps_its_order():
    expected = {"zebra": "a" * 30, "ape": "b" * 30}

    assert difference(expected, {**expected, "ape": "c" * 30})[1:] == [
        "  {'zebra': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',",
        "-  'ape': 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'}",
        "+  'ape': 'cccccccccccccccccccccccccccccc'}",
    ]


def test_distant_differences_are_both_shown():
    expected = list(range(100, 130))
    actual = [0, *expected[1:-1], 0]

    assert difference(expected, actual) == [
        "- expected, + got:",
        "- [100,",
        "+ [0,",
        "   101,",
        "   128,",
        "-  129]",
        "+  0]",
    ]


def test_values_that_print_the_same_say_so():
    assert difference(Same(2), Same(2)) == ["expected ss, got ss"]
    assert difference(Same(70), Same(70)) == [
        f"expected {'s' * 28}...{'s' * 29}, got what prints the same and is not equal"
    ]
