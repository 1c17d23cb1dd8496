"""Reading a config of ``fit`` without making a trainer, for `plan`, `data inspect` and `data prepare`.

In: the options of ``longalign fit``. Out: a `FitConfig`. No weights are loaded and no GPU is used.
"""

import contextlib
import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonargparse
import numpy as np
import yaml
from lightning.pytorch import Trainer

from longalign.commands.cli import LongAlignCLI, share_gguf
from longalign.commands.options import OwnOptions
from longalign.data.datamodule import NOTHING_LEFT, LongAlignData
from longalign.data.mixture import Mixture
from longalign.data.plan import SequenceCost, plan_batches
from longalign.errors import UserError
from longalign.training.module import LongAlignModule
from longalign.training.strategy import ShardStrategy

NO_MODEL = ""  # the default of model.model here, which is required in ``fit``


@dataclass(frozen=True)
class FitConfig:
    """What a fit would work with.

    module: has the model's config and no weights; None if no model is named. world_size: ranks. max_steps: the
    trainer's limit, -1 for none. sharding: the options of ``ShardStrategy`` that change a step's memory, as
    ``LongAlignModule.step_memory`` takes them; None under another trainer.strategy.
    """

    data: LongAlignData
    module: LongAlignModule | None
    world_size: int
    max_steps: int
    sharding: dict[str, bool] | None

    @property
    def cost(self) -> SequenceCost:
        """From the model's shape, as in `fit`; Llama-2-7B's where no model is named."""
        return self.module.sequence_cost() if self.module else SequenceCost()

    def check_world_size(self) -> None:
        """Refuse a world size that does not divide packs_per_step, before anything is tokenised.

        Raises:
            UserError: as `plan_batches` does.
        """
        one = np.ones(1, np.int64)
        plan_batches(
            one,
            one,
            strategy="naive",
            max_length=self.data.max_length,
            packs_per_step=self.data.packs_per_step,
            world_size=self.world_size,
        )

    def load_mixture(self) -> tuple[Mixture, Mixture]:
        """(the mix, the held-out rows), tokenised now if they are not in the cache.

        Raises:
            UserError: there is a mistake in the data, or nothing is left to train on.
        """
        with _without_reports():
            mixture, held_out = self.data.load_mixture()
        if not len(mixture):
            raise UserError(NOTHING_LEFT)
        return mixture, held_out


def read_config(args: list[str], own: OwnOptions, *, world_size: int | None = None) -> FitConfig:
    """Parse `args` as ``longalign fit`` does, except that model.model may be missing where data.tokenizer is there.

    own: the command's own options, among which the nearest to an unknown key is looked for, too. world_size: ranks, by
    default trainer.devices × trainer.num_nodes, or 1 where devices are not a number.

    Raises:
        UserError: an unknown key, a wrong type, a missing file, no source, no tokenizer, a model that is refused.
    """
    config = _FitParser(args, own).config
    if not config.data.tokenizer:
        raise UserError("model.model: give the model's folder or hub name, or at least data.tokenizer")
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(LongAlignData, "data")
    values: dict[str, Any] = {"data": config.data}
    if config.model.model != NO_MODEL:
        parser.add_class_arguments(LongAlignModule, "model")
        values["model"] = config.model
    made = parser.instantiate(parser.parse_object(values))
    data, module = made.data, made.get("model")
    if module is not None:
        share_gguf(module, data)
    ranks, max_steps = world_size or _world_size(config.trainer), config.trainer.max_steps
    return FitConfig(data, module, ranks, max_steps, _sharding(config.trainer.strategy))


@functools.cache
def default_config() -> dict[str, Any]:
    """The default of every option of ``fit``, as in a ``config.yaml``; model.model is NO_MODEL."""
    cli = _FitParser([], OwnOptions("fit", ""))
    return yaml.safe_load(cli.parser.dump(cli.config, skip_validation=True, skip_none=False))


class _FitParser(LongAlignCLI):
    """The parser of ``fit`` alone: it sets `config`, and makes neither trainer nor model."""

    def __init__(self, args: list[str], own: OwnOptions) -> None:
        self.own = own
        super().__init__(args, run=False)

    def setup_parser(self, add_subcommands: bool, main_kwargs: dict, subparser_kwargs: dict) -> None:
        self._subcommand_method_arguments: dict[str, list[str]] = {}
        self.parser = self._prepare_subcommand_parser(Trainer, "fit")
        self.parser.set_defaults({"model.model": NO_MODEL})
        self._subcommand_parsers: dict[str, Any] = {"fit": self.parser, "own": self.own}  # where known_keys looks

    def instantiate_classes(self) -> None:
        """Does nothing: a trainer would look for GPUs."""


def _world_size(trainer: Any) -> int:
    devices = trainer.devices
    if isinstance(devices, list):
        devices = len(devices)
    if not str(devices).isdigit():  # "auto", -1
        return 1
    return max(int(devices), 1) * trainer.num_nodes


def _sharding(strategy: Any) -> dict[str, bool] | None:
    if getattr(strategy, "class_path", None) != f"{ShardStrategy.__module__}.{ShardStrategy.__name__}":
        return None  # a name such as ddp, or another class
    given = strategy.get("init_args") or {}
    return {"resharded": given.get("reshard_after_forward", True), "gather_once": given.get("gather_once", True)}


@contextlib.contextmanager
def _without_reports() -> Iterator[None]:
    """In the block, the tokeniser does not log its counts, because the commands here print them."""
    logger = logging.getLogger("longalign.data.tokenize")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
