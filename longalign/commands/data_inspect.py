"""``longalign data inspect``: show packs as a rank gets them, with boundaries, targets, weights and text."""

from argparse import Namespace

from longalign.commands.options import OwnOptions, at_least
from longalign.errors import UserError


def run(name: str, args: list[str]) -> None:
    """Parse ``args``, plan, and print one pack, or a rank's packs of a step."""
    options = OwnOptions(
        name,
        "Show packs as `longalign fit` will train on them: where each sequence begins and ends, its positions, which "
        "tokens are targets, their weights in the loss, and the text. By default the first pack of the run.",
    )
    options.add_argument("--pack", type=at_least(0), help="show the pack with this number in the run, from 0")
    options.add_argument("--step", type=at_least(0), help="show the packs of this optimizer step, from 0, of --rank")
    options.add_argument("--rank", type=at_least(0), help="rank whose packs of --step are shown (default: 0)")
    options.add_argument(
        "--world_size", type=at_least(1), help="number of ranks (default: trainer.devices × trainer.num_nodes)"
    )
    options.add_argument(
        "--context",
        type=at_least(1),
        default=40,
        help="tokens shown at each end of a long text without targets, whose middle is left out (default: 40)",
    )
    options.add_argument(
        "--width", type=at_least(20), help="width in columns (default: the terminal's; in a pipe no limit)"
    )
    own, rest = options.parse_known_args(args)
    if own.pack is not None and (own.step is not None or own.rank is not None):
        raise UserError("--pack: give either a pack or a step and rank, not both")
    if own.rank is not None and own.step is None:
        raise UserError("--rank: give --step, too")
    inspect(rest, options, own)


def inspect(args: list[str], options: OwnOptions, own: Namespace) -> None:
    """Print the packs that the options `own` select, of the config in `args`."""
    from longalign.commands.config import read_config
    from longalign.commands.pack_screen import legend, pack_screen
    from longalign.commands.screen import make_console, show
    from longalign.data.dataset import PackDataset

    fit = read_config(args, options, world_size=own.world_size)
    fit.check_world_size()
    mixture, _ = fit.load_mixture()
    packs = PackDataset(mixture, fit.data.plan(fit.cost, fit.world_size), loss=fit.data.loss)
    numbers = pack_numbers(len(packs), fit.data.packs_per_step, fit.world_size, own.pack, own.step, own.rank or 0)
    console = make_console(own.width)
    show(console, legend(console.is_terminal))
    for number in numbers:
        show(console, *pack_screen(packs, number, fit.data.tokenizer, own.context, colour=console.is_terminal))


def pack_numbers(
    num_packs: int, packs_per_step: int, world_size: int, pack: int | None, step: int | None, rank: int
) -> list[int]:
    """The numbers of the packs to show: `pack` (by default 0), or those of a rank in a step.

    Raises:
        UserError: the run has no such pack, step or rank.
    """
    for key, got, count in (
        ("pack", pack, num_packs),
        ("step", step, num_packs // packs_per_step),
        ("rank", rank, world_size),
    ):
        if got is not None and got >= count:
            raise UserError(f"--{key}: got {got}, the plan has {count}, from 0 to {count - 1}")
    if step is None:
        return [pack or 0]
    return list(range(step * packs_per_step + rank, (step + 1) * packs_per_step, world_size))
