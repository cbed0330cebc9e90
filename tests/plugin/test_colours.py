"""A failed assertion tells apart by colours what was expected, what there is, the closest job, and what to do."""

import re

import pytest

pytestmark = pytest.mark.usefixtures("shop")

CLOSEST = """
    from shop import Pay

    def test_it(jobs, assert_enqueued):
        Pay.perform_later(7)
        assert_enqueued(Pay, args=(8,))
"""
UNEXPECTED = """
    from shop import Pay

    def test_it(jobs, assert_not_enqueued):
        Pay.perform_later(7)
        assert_not_enqueued(Pay)
"""
HINTED = """
    from shop import Pay

    def test_it(jobs, assert_performed):
        Pay.perform_later(7)
        Pay.perform_later(8)
        assert_performed(Pay)
"""
LISTED = """
    from shop import Pay

    def test_it(jobs, assert_enqueued_in_order):
        Pay.perform_later(7)
        assert_enqueued_in_order([Pay, Pay])
"""
TEXT = """
    from shop import call

    def test_it(jobs, assert_enqueued):
        call.perform_later("one line\\nand another\\nand a third one that makes it long\\n" * 2)
        assert_enqueued(call, args=("one line\\nand more\\nand a third one that makes it long\\n" * 2,))
"""
OTHERS = """
    def test_a_comparison(jobs):
        assert "Expected" == "Next: "

    def test_words(jobs):
        raise AssertionError("Expected nothing\\nbut something.")

    def test_another_error(jobs):
        raise ValueError("Expected\\nNext: nothing")
"""
COLOURS = {"31": "red", "32": "green", "33": "yellow", "36": "cyan", "1": "bold", "2": "light"}


@pytest.fixture
def failure(pytester):
    """Return a function that runs a failing test, and returns its message."""

    def failure(source, *flags):
        pytester.makepyfile(test_it=source)
        lines = pytester.runpytest(*flags).outlines
        return [line for line in lines if re.match(r"(\x1b\[[0-9;]*m)*E ", line)]

    return failure


def plain(line):
    return re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()


def painted(lines, begin):
    """Return the parts of a line of the message that have a colour of their own, each with its colour."""
    (line,) = [line for line in lines if plain(line).startswith(begin)]
    text = line[re.search(r"(E +(AssertionError: )?)", line).end() :]
    parts = re.findall(r"\x1b\[(\d+)m([^\x1b]+)\x1b\[0m", text)
    return [(COLOURS[code], part.strip()) for code, part in parts]


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (
            CLOSEST,
            {
                "AssertionError": [("red", "Pay(7) was enqueued with payment_id=7, not 8.")],
                "Expected": [("green", "Expected exactly 1 Pay enqueued with")],
                "  args  (8)": [("green", "args  (8)")],
                "Closest": [("yellow", "Closest: #0 Pay(7) queue='payments'")],
                "  args  differs": [("green", "expected 8"), ("red", "got 7")],
            },
        ),
        (UNEXPECTED, {"  #0": [("red", "#0 Pay(7) queue='payments'")]}),
        (
            LISTED,
            {
                ">   1  Pay": [("green", ">   1  Pay")],
                ">   1  (none)": [("red", ">   1  (none)")],
            },
        ),
        (HINTED, {"Hint": ["cyan"], "Next": ["bold"], "See": ["light"]}),
    ],
)
def test_each_part_has_its_colour_and_without_colours_the_text_is_the_same(failure, source, parts):
    lines = failure(source, "--color=yes")
    without = failure(source, "--color=no")

    for begin, expected in parts.items():
        found = painted(lines, f"E       {begin}")
        assert (found if source is not HINTED else [colour for colour, _ in found]) == expected
    assert [plain(line) for line in lines] == [line.rstrip() for line in without]
    assert "\x1b" not in "".join(without)


def test_what_differs_in_a_long_text(failure):
    lines = failure(TEXT, "--color=yes", "-v")
    without = failure(TEXT, "--color=no", "-v")
    removed, added = [
        [line for line in lines if re.match(rf"E +{sign} ", plain(line))] for sign in ("-", "\\+")
    ]

    assert removed
    assert added
    assert all("\x1b[32m" in line for line in removed)
    assert all("\x1b[31m" in line.removeprefix("\x1b[1m\x1b[31m\x1b[31m") for line in added)
    assert [plain(line) for line in lines] == [line.rstrip() for line in without]


def test_what_to_do_about_jobs_that_were_left_alone(pytester):
    pytester.makepyfile("""
        from shop import Pay

        def test_it(jobs):
            Pay.perform_later(7)
    """)
    plain_lines = pytester.runpytest("--jobs-strict", "--color=no").outlines
    coloured = pytester.runpytest("--jobs-strict", "--color=yes").outlines

    (line,) = [line for line in coloured if plain(line).startswith("Next: ")]
    assert line.startswith("\x1b[1mNext: ")
    assert plain(line) in plain_lines


def test_a_file_of_results_has_no_colours(failure, pytester):
    failure(CLOSEST, "--color=yes", "--junitxml=found.xml")

    assert "#x1B" not in (pytester.path / "found.xml").read_text("utf-8")


def test_failures_of_others_are_as_pytest_shows_them(failure):
    ours = failure(OTHERS, "--color=yes")
    theirs = failure(OTHERS.replace("(jobs)", "()"), "--color=yes", "-p", "no:jobs")

    assert len(ours) > 5
    assert ours == theirs
