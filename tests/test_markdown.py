"""Tables of Markdown: aligned as plain text, and with as many cells as they were given whatever the texts hold."""

import re

from longalign.markdown import escape, table


def test_columns_are_as_wide_as_their_longest_cell():
    assert table(["", "loss"], [["long", "0.25"], ["short chats", "–"]]).splitlines() == [
        "|             | loss |",
        "| ----------- | ---- |",
        "| long        | 0.25 |",
        "| short chats | –    |",
    ]


def test_a_rule_has_the_three_dashes_that_every_reader_of_markdown_takes():
    assert table(["n"], []).splitlines() == ["| n   |", "| --- |"]


def test_no_text_breaks_out_of_its_cell():
    lines = table(["a", "b"], [["x|y\nz", "<b>&"], ["", "\r\n\t|"]]).splitlines()
    assert len(lines) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}
    assert escape("a <script>|\n &lt;") == "a &lt;script>\\| &amp;lt;"
