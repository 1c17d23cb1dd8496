"""Functions as commands."""

import pytest

from longalign.commands.parse import call
from longalign.errors import UserError


def chosen(plan: bool = False, out: str = "", count: int = 1) -> tuple[bool, str, int]:
    """Do nothing."""
    return plan, out, count


@pytest.mark.parametrize("said", [["--plan"], ["--plan", "true"], ["--plan=true"]])
def test_a_yes_or_no_option_takes_a_value_and_none_is_a_yes(said):
    assert call(chosen, "chosen", said) == (True, "", 1)
    assert call(chosen, "chosen", ["--out=x", *said, "--count=2"]) == (True, "x", 2)
    assert call(chosen, "chosen", ["--plan", "false"]) == call(chosen, "chosen", []) == (False, "", 1)


def test_an_option_that_is_no_yes_or_no_needs_its_value():
    with pytest.raises(UserError, match="--out: expected one argument"):
        call(chosen, "chosen", ["--out", "--plan"])
