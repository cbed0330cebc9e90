"""Every failure says first what is wrong, then what was expected and found, and what to do next."""

import re

from message_gallery import FOLDER, PAGE, situations
from message_page import ADVICE, heading, page
from tables import each_row

from pytest_jobs.assertions import messages as advice
from pytest_jobs.harness.records.texts import Reader

SITUATIONS = situations()
ASSERTIONS = {name: one for name, one in SITUATIONS.items() if one.asserts}
ASCII = Reader(ascii=True)
VERBOSE = Reader(verbose=True)
SHORTENED = "Shortened: -v shows everything."
OUTCOMES = ("enqueued", "performed", "retried", "discarded", "failed")
SEE = re.compile(r"See: python -m pytest_jobs explain (?P<anchor>[a-z-]+)")
HEADINGS = frozenset(re.findall(r"(?m)^## (.*)$", PAGE.read_text("utf-8")))


def properties_of_all(one, text):
    """Yield each property of every message, and whether this message has it."""
    lines = text.splitlines()
    yield "has at most 25 lines", len(lines) <= 25
    yield "has no colours", "\x1b" not in text
    yield "has no addresses in memory", " at 0x" not in text
    yield "has no spaces at the ends of lines", all(line == line.rstrip() for line in lines)
    yield "is the same the second time", one.message() == text
    yield "has a cause", one.cause.endswith(".")
    yield "has a remedy where it is an error", one.asserts or one.remedy.endswith(".")


def properties_of_assertions(text, verbose, ascii_only):
    """Yield each property of the messages of assertions, and whether this message has it."""
    lines = [line for line in text.splitlines() if line != SHORTENED]
    see = SEE.fullmatch(lines[-1])
    begins = not lines[0].startswith(("Expected ", "but ")) and lines[0].endswith((".", ":", "?"))
    yield "says in its first line what is wrong", begins
    yield "says what to do next", lines[-2].startswith("Next: ") and lines[-2].endswith(".")
    yield "ends with where to read on", see is not None
    yield "names a heading of the page", see and heading(see["anchor"]) in HEADINGS
    yield "can be shown where there is only ASCII", ascii_only.isascii()
    yield "says where it is shortened", (SHORTENED in text.splitlines()) is (text != verbose)
    yield "is not shortened when verbose", SHORTENED not in verbose
    yield (
        "shows everything when verbose",
        not re.search(r"\.\.\. and \d+ more|, \.\.\.[]})]", verbose.partition("\n")[2]),
    )


@each_row("name", SITUATIONS)
def test_a_message_is_as_written_down_and_has_each_property(name):
    """After a change on purpose `python tests/messages/message_gallery.py` writes the files anew: read them."""
    one = SITUATIONS[name]
    text = one.message()
    found = dict(properties_of_all(one, text))
    if one.asserts:
        found.update(properties_of_assertions(text, one.message(VERBOSE), one.message(ASCII)))

    assert f"{text}\n".encode() == one.file.read_bytes()
    assert [wanted for wanted, holds in found.items() if not holds] == []


def test_a_property_that_a_message_does_not_have_is_named():
    text = "Wanted \x1b[1m1\x1b[0m at 0x7f \n... and 3 more\nNext: look\nSee: python -m pytest_jobs explain away"
    one = SITUATIONS["a_callable_says_no"]
    found = [*properties_of_all(one, text * 9), *properties_of_assertions(text, text, "\u00e9")]

    assert [wanted for wanted, holds in found if not holds] == [
        "has at most 25 lines",
        "has no colours",
        "has no addresses in memory",
        "has no spaces at the ends of lines",
        "is the same the second time",
        "says in its first line what is wrong",
        "says what to do next",
        "names a heading of the page",
        "can be shown where there is only ASCII",
        "shows everything when verbose",
    ]


def test_accents_are_shown_where_they_can_be():
    assert "r\u00e9ponse" in SITUATIONS["an_error_has_colours_and_accents"].message()


def test_a_list_that_is_cut_says_how_much_is_left():
    one = SITUATIONS["many_were_enqueued_that_should_not"]

    assert "  ... and 14 more" in one.message().splitlines()
    assert "  #18 Pay(18) queue='payments'" in one.message(VERBOSE).splitlines()


def test_without_a_test_runner_nobody_is_told_of_its_flags():
    one = SITUATIONS["many_were_enqueued_that_should_not"]

    assert one.message(None) == one.message().replace(f"{SHORTENED}\n", "")


def test_each_piece_of_advice_has_a_situation():
    reached = {SEE.search(one.message())["anchor"] for one in ASSERTIONS.values()}

    assert {one.anchor for one in ADVICE} == reached


def test_no_two_headings_of_the_page_have_one_anchor():
    headings = re.findall(r"(?m)^#+ (.*)$", PAGE.read_text("utf-8"))
    anchors = [text.lower().replace(" ", "-") for text in headings]

    assert len(set(anchors)) == len(anchors)


def test_each_criterion_has_advice():
    criteria = {"args", "params", "queue", "priority", "at", "wait", "attempt", "where"}

    assert criteria | {"result", "error", "status"} == advice.BY_CRITERION.keys()


def test_each_outcome_is_in_the_gallery():
    expected = re.findall(
        r"(?m)^Expected (\w+) .*? (\w+)$", "\n".join(one.message() for one in ASSERTIONS.values())
    )

    assert {outcome for _, outcome in expected} >= {*OUTCOMES}
    assert {number for number, _ in expected} >= {"no", "exactly", "at"}


def test_no_file_is_left_of_a_situation_that_is_gone():
    assert {path.stem for path in FOLDER.iterdir()} == SITUATIONS.keys()


def test_there_are_at_least_100_situations():
    assert len(SITUATIONS) >= 100


def test_the_page_of_the_reference_is_made_of_the_gallery():
    made = page(SITUATIONS.values())

    assert PAGE.read_text("utf-8") == made, (
        "run python tests/messages/message_gallery.py, and read it"
    )
