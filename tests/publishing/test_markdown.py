"""Tables in Markdown."""

from learner_collusion.publishing.markdown import table


def test_a_line_per_row_below_the_names():
    assert table([{"a": 1, "b": "x"}, {"b": None, "a": 2.5}]) == "| a | b |\n|---|---|\n| 1 | x |\n| 2.5 | None |\n"


def test_what_would_break_the_table_is_escaped():
    assert table([{"a|b": "|x|\ny"}]) == "| a\\|b |\n|---|\n| \\|x\\| y |\n"


def test_no_rows_no_table():
    assert table([]) == "" and table(iter(())) == ""
