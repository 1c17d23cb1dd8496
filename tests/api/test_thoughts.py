"""Thoughts of all the marks that models put around them."""

import pytest

from longalign.api.thoughts import split_thoughts


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<reasoning>", "</reasoning>"), ("[THINK]", "[/THINK]")],
)
def test_thoughts_end_where_their_mark_says(opening, closing):
    assert split_thoughts(f"\n{opening}1. Who?{closing}\n\n1. What?") == ("1. Who?", "1. What?")
    assert split_thoughts(f"{opening}without end") == ("without end", "")


def test_an_answer_may_speak_of_other_marks():
    assert split_thoughts("The tag </thinking> ends it.") == ("", "The tag </thinking> ends it.")
