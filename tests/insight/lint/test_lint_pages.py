"""The pages of the rules are made of the rules."""

from lint_pages import FOLDER, pages


def test_a_page_says_what_its_rule_says():
    """`python tests/insight/lint/lint_pages.py` writes the pages anew."""
    assert {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")} == {
        path.name: text for path, text in pages().items()
    }
