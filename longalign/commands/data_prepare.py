"""``longalign data prepare``: tokenise a config's data ahead of training, and show what is in the mix."""

from pathlib import Path

from longalign.commands.interrupt import interruptible
from longalign.commands.options import OwnOptions


def run(name: str, args: list[str]) -> None:
    """Parse ``args``, tokenise the data that is not in the cache, and print what is in the mix and where it is."""
    options = OwnOptions(
        name,
        "Tokenise a config's data ahead of training, into data.cache_dir, where `longalign fit` finds it. Prints how "
        "many rows were read, dropped and cut, and what is in the mix.",
    )
    _, rest = options.parse_known_args(args)
    with interruptible():
        prepare(rest, options)


def prepare(args: list[str], options: OwnOptions) -> None:
    """Tokenise the data of the config in `args`, and print a report."""
    from rich.text import Text

    from longalign.commands.config import read_config
    from longalign.commands.plan_figures import source_figures
    from longalign.commands.plan_screen import reasons, source_table
    from longalign.commands.screen import make_console, make_table, show

    fit = read_config(args, options)
    mixture, held_out = fit.load_mixture()
    sources = source_figures(fit.data, mixture, held_out)
    folders = make_table("cache", "MiB", "bytes a token", "folder")
    folders.columns[3].justify = "left"
    folders.columns[3].no_wrap = False
    for source in mixture.sources:
        size = sum(file.stat().st_size for file in Path(source.folder).iterdir())
        numbers = f"{size / 2**20:,.1f}", f"{size / max(source.report['tokens'], 1):.2f}"
        folders.add_row(source.name, *numbers, str(source.folder))
    show(make_console(), source_table(sources), reasons(sources), Text(), folders)
