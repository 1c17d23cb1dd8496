"""Counts read right for one, none and many."""

from longalign.counted import counted


def test_a_noun_has_its_plural_unless_there_is_one():
    assert [counted(n, "row") for n in (0, 1, 2, 1200)] == ["0 rows", "1 row", "2 rows", "1,200 rows"]
