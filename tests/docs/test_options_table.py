"""The page of options has each option as it is declared."""

from options_table import PAGE, with_table


def test_the_table_is_the_one_of_the_options():
    page = PAGE.read_text("utf-8")

    assert page == with_table(page), "write it anew: python tests/docs/options_table.py"
