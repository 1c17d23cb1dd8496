"""Times read right from under a second to weeks."""

import math

from longalign.duration import duration


def test_a_duration_is_written_in_its_two_largest_units():
    assert [duration(s) for s in (0.3, 8.4, 59.6, 75, 3599.7)] == ["0 s", "8 s", "1 min 0 s", "1 min 15 s", "1 h 0 min"]
    assert [duration(s) for s in (3750, 90_000, 4e6)] == ["1 h 2 min", "25 h 0 min", "1,111 h 6 min"]


def test_a_time_that_is_not_known_is_a_question_mark():
    assert duration(math.inf) == duration(math.nan) == "?"
