"""``longalign plan``: the packs and steps that a config of ``fit`` makes of its data, before a GPU is used.

In: the options of ``fit``. Out: one screen, or one JSON object with ``--json``.
"""

import json
import logging
import sys

from longalign.commands.options import OwnOptions, at_least

log = logging.getLogger(__name__)


def run(name: str, args: list[str]) -> None:
    """Parse ``args``, tokenise the data that is not in the cache, plan with every strategy, and print the figures."""
    options = OwnOptions(
        name,
        "Show what `longalign fit` will make of a config, before a GPU is used: lengths, packs, steps, balance of the "
        "ranks, how much of the loss short and long conversations have, and memory, speed and time on known GPUs.",
    )
    options.add_argument(
        "--world_size", type=at_least(1), help="number of ranks (default: trainer.devices × trainer.num_nodes)"
    )
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the screen")
    own, rest = options.parse_known_args(args)
    plan(rest, options, own.world_size, own.json)


def plan(args: list[str], options: OwnOptions, world_size: int | None, as_json: bool) -> None:
    """Print the plan of the config in `args`; as_json: as one JSON object instead of the screen."""
    from longalign.commands.config import read_config
    from longalign.commands.plan_figures import plan_figures
    from longalign.commands.plan_gpus import gpu_figures
    from longalign.commands.plan_screen import plan_screen
    from longalign.commands.screen import make_console, show

    fit = read_config(args, options, world_size=world_size)
    fit.check_world_size()
    mixture, held_out = fit.load_mixture()
    plans = fit.data.plan(fit.cost, fit.world_size)
    figures = plan_figures(fit.data, plans, held_out, fit.cost)
    total = figures["plan"]["total_steps"]
    figures["run_steps"] = total if fit.max_steps < 0 else min(total, fit.max_steps)
    of = f"the shape of {fit.module.path}" if fit.module else "Llama-2-7B's (model.model is not given)"
    figures["cost"] = {"of": of, "linear": fit.cost.linear, "quadratic": fit.cost.quadratic}
    if fit.module:
        fit.data.check_model(fit.module.config)
        if fit.sharding:
            step = fit.module.step_memory(fit.data, fit.world_size, fill=plans[0].fill(), **fit.sharding)
            figures["gpus"] = gpu_figures(fit.module, step, plans, mixture, fit.cost, figures["run_steps"])
        else:
            log.warning("trainer.strategy: memory and speed are known for its default alone, which shards: not shown")
    if as_json:
        json.dump(figures, sys.stdout, indent=1, ensure_ascii=False)
        print()
        return
    console = make_console()
    show(console, plan_screen(figures, colour=console.is_terminal))
