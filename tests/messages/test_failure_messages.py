"""Every failure says what was expected, what was found, and what to do next, in a few lines."""

import re

import pytest
from message_gallery import BRIEF, FOLDER, PAGE, situations
from message_page import ADVICE, heading, page

from pytest_jobs.assertions import messages as advice
from pytest_jobs.harness.records.texts import Reader

SITUATIONS = situations()
ASSERTIONS = {name: one for name, one in SITUATIONS.items() if one.asserts}
VERBOSE = Reader(verbose=True)
SHORTENED = "Shortened: -v shows everything."
OUTCOMES = ("enqueued", "performed", "retried", "discarded", "failed")
SEE = re.compile(r"See: docs/reference/messages\.md#(?P<anchor>[a-z-]+)")


@pytest.fixture(params=SITUATIONS)
def situation(request):
    return SITUATIONS[request.param]


@pytest.fixture(params=ASSERTIONS)
def assertion(request):
    return ASSERTIONS[request.param]


def test_the_whole_message_is_as_written_down(situation):
    """After a change on purpose `python tests/messages/message_gallery.py` writes the files anew: read them."""
    assert f"{situation.message()}\n".encode() == situation.file.read_bytes()


def test_it_has_at_most_25_lines(situation):
    assert len(situation.message().splitlines()) <= 25


def test_it_can_be_shown_where_there_is_only_ascii(assertion):
    assert assertion.message(Reader(ascii=True)).isascii()


def test_accents_are_shown_where_they_can_be():
    assert "r\u00e9ponse" in SITUATIONS["an_error_has_colours_and_accents"].message()


def test_it_is_plain_text(situation):
    text = situation.message()

    assert "\x1b" not in text
    assert " at 0x" not in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_it_begins_with_what_was_expected(assertion):
    assert assertion.message().startswith(("Expected ", "This test left "))


def test_it_ends_with_what_to_do_and_where_to_read_on(assertion):
    lines = [line for line in assertion.message().splitlines() if line != SHORTENED]

    assert lines[-2].startswith("Next: ")
    assert lines[-2].endswith(".")
    assert SEE.fullmatch(lines[-1])


def test_where_it_is_shortened_it_says_so_and_a_verbose_one_shows_everything(assertion):
    brief, verbose = assertion.message(), assertion.message(VERBOSE)

    assert (SHORTENED in brief.splitlines()) is (brief != verbose)
    assert SHORTENED not in verbose
    assert not re.search(r"\.\.\. and \d+ more|, \.\.\.[]})]", verbose)


def test_a_list_that_is_cut_says_how_much_is_left():
    one = SITUATIONS["many_were_enqueued_that_should_not"]

    assert "  ... and 14 more" in one.message().splitlines()
    assert "  #18 Pay(18) queue='payments'" in one.message(VERBOSE).splitlines()


def test_without_a_test_runner_nobody_is_told_of_its_flags():
    one = SITUATIONS["many_were_enqueued_that_should_not"]

    assert one.message(None) == one.message().replace(f"{SHORTENED}\n", "")


def test_an_error_has_a_remedy(situation):
    assert situation.asserts or situation.remedy.endswith(".")


def test_each_situation_has_a_cause(situation):
    assert situation.cause.endswith(".")


def test_the_anchor_is_a_heading_of_the_page(assertion):
    found = SEE.search(assertion.message())

    assert f"\n## {heading(found['anchor'])}\n" in PAGE.read_text("utf-8")


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
    heads = [one.message().splitlines()[0] for one in ASSERTIONS.values()]

    for outcome in OUTCOMES:
        assert any(re.match(rf"Expected .* {outcome}\b", head) for head in heads)
    assert {head.split()[1] for head in heads} >= {"no", "exactly", "at"}


def test_no_file_is_left_of_a_situation_that_is_gone():
    assert {path.stem for path in FOLDER.iterdir()} == SITUATIONS.keys()


def test_there_are_at_least_100_situations():
    assert len(SITUATIONS) >= 100


def test_the_page_of_the_reference_is_made_of_the_gallery():
    made = page(SITUATIONS.values())

    assert PAGE.read_text("utf-8") == made, (
        "run python tests/messages/message_gallery.py, and read it"
    )


def test_a_message_is_the_same_the_second_time(situation):
    assert situation.message(BRIEF) == situation.message(BRIEF)
