"""``longalign fit`` and ``longalign validate``: the trainer, by config."""

from longalign.commands.cli import LongAlignCLI


def run(name: str, args: list[str]) -> None:
    """Parse ``args`` and run; mistakes are UserErrors."""
    LongAlignCLI([name, *args])
