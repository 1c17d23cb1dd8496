"""LightningCLI with our defaults: exact keys, mistakes in one line, a saved config, one folder for each run."""

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.distributed import DistNetworkError, DistStoreError

from longalign.commands.messages import explain_trainer_error, explained
from longalign.commands.parse import PlainHelp
from longalign.counted import counted
from longalign.data.datamodule import LongAlignData, data_of
from longalign.data.processes import killed_worker_is
from longalign.errors import UserError
from longalign.files import write_text
from longalign.launch import Launch, this_launch
from longalign.training.callbacks import StepCheckpoint, StepLogger
from longalign.training.callbacks.checkpoint import checkpoint_folder
from longalign.training.checkpoints import newest_checkpoint, resolve_checkpoint
from longalign.training.curves import Curves
from longalign.training.data_record import write_data_record
from longalign.training.environment import write_environment
from longalign.training.module import LongAlignModule
from longalign.training.ranks import cluster_environment, end_with_parent, is_lost_rank, use_rank_launcher
from longalign.training.strategy import ShardStrategy

log = logging.getLogger(__name__)

TRAINER_DEFAULTS: dict[str, Any] = {
    "strategy": {"class_path": "longalign.training.strategy.ShardStrategy"},
    "precision": "32-true",  # master weights; compute is in model.compute_dtype
    "use_distributed_sampler": False,
    "max_epochs": 1,  # to Lightning, all of data.epochs are one epoch
    "num_sanity_val_steps": 0,
    "gradient_clip_val": 1.0,
    "inference_mode": False,  # FSDP2 cannot gather under inference mode
    "enable_progress_bar": False,  # StepLogger has its own
    "enable_model_summary": False,
    "log_every_n_steps": 1,
    "default_root_dir": "runs/default",
}

ONE_OR_ALL = {  # options of which the parser makes 1.0, all packs, where the user may mean 1, one pack: what to use
    "limit_train_batches": "trainer.max_steps or a source's count",
    "limit_val_batches": "data.validation",
}

OPTIMIZER = {"class_path": "torch.optim.AdamW", "init_args": {"lr": 2e-5, "betas": [0.9, 0.95], "weight_decay": 0.0}}

SOURCES = ("long", "short", "text")  # keys of the data section
SOURCE_OPTIONS = tuple(f"--data.{key}" for key in SOURCES)


class RunConfig(SaveConfigCallback):
    """Writes the whole config of a run to ``config.yaml`` in its folder; with it the run can be repeated in another.

    It also writes ``environment.json`` (versions, machine) and ``data.json`` (hashes, counts, plan). It does so when a
    checkpoint to go on from has been read: one that does not fit is refused, and the run's files stay what they were.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Does nothing: Lightning would write the config here."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            self.save_config(trainer, pl_module, "fit")

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        folder = Path(trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "config.yaml", self.parser.dump(self.config, skip_none=False))
        write_environment(folder, trainer)
        write_data_record(folder, data_of(trainer))


class Parser(PlainHelp, LightningArgumentParser):
    """Lets a source's keys be set one by one, also where a config or an earlier option has given only its path."""

    def _apply_actions(self, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        data = cfg.get("data") if isinstance(cfg, dict) else None
        if isinstance(data, dict):
            paths = {key: {"path": data[key]} for key in SOURCES if isinstance(data.get(key), str)}
            cfg = {**cfg, "data": {**data, **paths}}
        return super()._apply_actions(cfg, *args, **kwargs)


def paths_as_keys(args: Sequence[str]) -> list[str]:
    """Turn ``--data.long PATH`` into ``--data.long.path PATH``, so that ``--data.long.count`` can be given, too."""
    result: list[str] = []
    for position, argument in enumerate(args):
        name, equals, value = argument.partition("=")
        value = value if equals else "".join(args[position + 1 : position + 2])
        is_path = name in SOURCE_OPTIONS and not value.startswith("{") and value not in ("null", "")
        result.append(f"{name}.path{equals}{value if equals else ''}" if is_path else argument)
    return result


class LongAlignCLI(LightningCLI):
    """``fit`` and ``validate`` on ``LongAlignModule`` and ``LongAlignData``; every key of a YAML is also an option."""

    def __init__(self, args: list[str] | None, run: bool = True) -> None:
        quiet_libraries()
        self.given, self.launch = args or [], this_launch()
        super().__init__(
            LongAlignModule,
            LongAlignData,
            args=args,
            run=run,
            save_config_callback=RunConfig,
            save_config_kwargs={"overwrite": True, "save_to_log_dir": False},
            auto_configure_optimizers=False,
            parser_class=Parser,
            load_from_checkpoint_support=False,
            seed_everything_default=0,
            trainer_defaults=TRAINER_DEFAULTS,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        skipped = {"model", "datamodule", "weights_only"}
        return {
            "fit": skipped | {"train_dataloaders", "val_dataloaders"},
            "validate": skipped | {"dataloaders", "verbose"},
        }

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        own = {"prog": "longalign", "exit_on_error": False, "allow_abbrev": False}
        return super().init_parser(**{**kwargs, **own})

    def _prepare_subcommand_parser(self, *args: Any, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(*args, **kwargs)
        ckpt_path = next(action for action in parser._actions if action.dest == "ckpt_path")
        ckpt_path.help = "a checkpoint; auto takes the run's newest one, if there is any"
        return parser

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Lightning's own, except that a path in the data section is not read as a config file (``sub_configs``)."""
        parser.add_lightning_class_args(self.trainer_class, "trainer")
        parser.set_defaults({f"trainer.{key}": value for key, value in self.trainer_defaults.items()})
        parser.add_lightning_class_args(LongAlignModule, "model")
        parser.add_class_arguments(LongAlignData, "data", fail_untyped=False, sub_configs=False)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.set_defaults({"model.optimizer": OPTIMIZER})  # a lambda default could not be written to config.yaml
        parser.add_lightning_class_args(StepLogger, "progress")
        parser.add_lightning_class_args(StepCheckpoint, "checkpoint")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        with warnings.catch_warnings(), explained(lambda: known_keys(self), args or []):
            warnings.simplefilter("ignore")  # Lightning warns that args are given beside sys.argv
            super().parse_arguments(parser, paths_as_keys(args))

    def _parse_ckpt_path(self) -> None:
        """Does nothing: Lightning would let the hyper-parameters of a checkpoint override the command line."""

    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand] if self.subcommand else self.config
        if config.data.tokenizer is None:
            config.data.tokenizer = config.model.model
        if config.model.cache_dir is None:
            config.model.cache_dir = config.data.cache_dir
        refuse_one_or_all(config.trainer)
        follow_launcher(config.trainer, self.launch, self.given)

    def instantiate_classes(self) -> None:
        try:
            super().instantiate_classes()
        except (TypeError, ValueError, MisconfigurationException) as error:
            raise UserError(explain_trainer_error(str(error))) from error
        share_gguf(self.model, self.datamodule)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = self._get(self.config_init, "trainer")
        if config.logger in (None, True):
            kwargs["logger"] = Curves(config.default_root_dir, name="tensorboard", version="", default_hp_metric=False)
        if config.plugins is None and (environment := cluster_environment(self.launch)):
            kwargs["plugins"] = environment
        trainer = super().instantiate_trainer(**kwargs)
        refuse_averages(trainer)
        # StepCheckpoint handles stop signals; Lightning's handlers communicate with other ranks inside a signal
        trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
        use_rank_launcher(trainer)
        end_with_parent()
        return trainer

    def _run_subcommand(self, subcommand: str) -> None:
        killed = (
            f"data.num_workers: got {self.datamodule.num_workers}, one of which was killed (out of the host's "
            "memory?): give fewer, and go on with --ckpt_path auto"
        )
        try:
            with killed_worker_is(killed):
                super()._run_subcommand(subcommand)
        except torch.OutOfMemoryError as error:
            raise UserError(self.model.explain_out_of_memory()) from error
        except SystemExit as end:
            if isinstance(stop := end.__context__, KeyboardInterrupt):  # which Lightning turns into a silent exit
                raise type(stop)(self._how_far() if subcommand == "fit" else "") from None
            raise
        except MisconfigurationException as error:
            raise UserError(explain_trainer_error(str(error))) from error
        except (DistNetworkError, DistStoreError) as error:
            place = ":".join(os.environ.get(name, "?") for name in ("MASTER_ADDR", "MASTER_PORT"))
            raise UserError(f"the ranks cannot meet at {place} (set MASTER_ADDR and MASTER_PORT): {error}") from error
        except RuntimeError as error:
            if str(error).startswith("Early stopping conditioned on metric"):
                got, known = str(error).split("`")[1], ", ".join(self.trainer.callback_metrics)
                raise UserError(
                    f"trainer.callbacks: EarlyStopping: got monitor {got!r}, expected one of "
                    f"{known or 'val/loss and others, which are there with data.validation'}"
                ) from error
            if is_lost_rank(error):
                log.error("rank %d ends, as another one has gone: %s", self.launch.rank, str(error).splitlines()[0])
                raise SystemExit(1) from None
            raise

    def _how_far(self) -> str:
        """What is said of a run that Ctrl-C has stopped: its step, and the newest checkpoint."""
        newest = newest_checkpoint(checkpoint_folder(self.trainer))
        saved = f"; {newest} is whole: go on with --ckpt_path auto" if newest else ", and nothing was saved"
        return f"after step {self.trainer.global_step}{saved}"

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        """Resolve ``--ckpt_path auto``, and refuse to start a new run in the folder of another one."""
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        folder = checkpoint_folder(self.trainer)
        asked, newest = os.path.expanduser(kwargs.get("ckpt_path") or ""), newest_checkpoint(folder)
        goes_on = asked == "auto" or (asked and newest and Path(asked).resolve() == newest.resolve())
        if subcommand == "fit" and newest and not goes_on:
            raise UserError(
                f"trainer.default_root_dir: {folder.parent} holds a run up to {newest.name}: "
                "go on with --ckpt_path auto, or give another folder"
            )
        if asked:
            found = resolve_checkpoint(asked, folder)
            if found and found.is_dir() and not isinstance(self.trainer.strategy, ShardStrategy):
                raise UserError(f"ckpt_path: {found} is in shards: leave out trainer.strategy; its default reads them")
            kwargs["ckpt_path"] = None if found is None else str(found)
            log.info("checkpoint: %s", found or "none yet, starting from the model")
        return kwargs


def share_gguf(module: LongAlignModule, data: LongAlignData) -> None:
    """Let the tokenizer be read from the model's GGUF file, where both are from one folder."""
    if data.tokenizer_path == module.path:
        data.gguf_file = module.gguf_file


def follow_launcher(trainer: Any, launch: Launch, given: Sequence[str]) -> None:
    """Set the trainer's devices and num_nodes to what torchrun or srun has started.

    Other numbers in a config file are overridden, which the log says.

    Raises:
        UserError: an option of the command line says otherwise, nodes differ in their number of ranks, or there should
            be several nodes and nothing has started the others.
    """
    if launch.by is None:
        if trainer.num_nodes > 1 and "MASTER_ADDR" not in os.environ:
            raise UserError(
                f"trainer.num_nodes: got {trainer.num_nodes}, but nothing has started the other nodes: "
                "use bin/torchrun-fit or bin/slurm-fit"
            )
        return
    if not launch.devices:
        raise UserError(f"{launch.by}: the nodes have unlike numbers of tasks: use --ntasks-per-node, one task a GPU")
    for key, started in (("devices", launch.devices), ("num_nodes", launch.num_nodes)):
        asked = trainer[key]
        if (len(asked) if isinstance(asked, list) else str(asked)) in (started, str(started)):
            continue
        number = f"{counted(started, 'rank')} on this node" if key == "devices" else counted(started, "node")
        what = f"{launch.by} has started {number}"
        if str(asked) not in ("auto", "-1"):
            if any(argument.partition("=")[0] == f"--trainer.{key}" for argument in given):
                raise UserError(f"trainer.{key}: got {asked}, but {what}: leave it out")
            if (key, asked) != ("num_nodes", 1):  # its default
                log.info("trainer.%s: the config says %s; %s, which counts", key, asked, what)
        trainer[key] = started


def refuse_one_or_all(trainer: Any) -> None:
    """Refuse a limit of 1, since Lightning would take it for all packs.

    Raises:
        UserError: the trainer's config has one.
    """
    for key, remedy in ONE_OR_ALL.items():
        if trainer[key] == 1:
            raise UserError(f"trainer.{key}: got 1, which would be all packs: use {remedy}, or leave it out for all")


def refuse_averages(trainer: Trainer) -> None:
    """Refuse callbacks that average weights where they would fail, or change the schedule and average nothing."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        name = type(callback).__name__
        if isinstance(callback, StochasticWeightAveraging):
            raise UserError(
                f"trainer.callbacks: {name} counts epochs, and all of data.epochs are one to Lightning: "
                "use EMAWeightAveraging"
            )
        if isinstance(callback, WeightAveraging) and isinstance(trainer.strategy, ShardStrategy):
            raise UserError(f"trainer.callbacks: {name} cannot copy sharded weights: give --trainer.strategy auto")


def known_keys(cli: LongAlignCLI) -> list[str]:
    """Every key of the config, with dots."""
    parsers = getattr(cli, "_subcommand_parsers", {})
    found = {action.dest for parser in parsers.values() for action in parser._actions if action.dest}
    return sorted(key for key in found if not key.endswith(".help"))


def quiet_libraries() -> None:
    """Silence messages that a user cannot act on: Lightning's banners and its advice for other set-ups."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()  # it propagates to our own
        logger.setLevel(logging.WARNING)
    for asked_for in ("profilers", "callbacks.model_summary"):  # tables
        logging.getLogger(f"lightning.pytorch.{asked_for}").setLevel(logging.INFO)
    for message in (
        ".*sync_dist=True.*",  # StepLogger sums over ranks itself
        ".*LeafSpec.*",
        ".*dataloader is not resumable.*",  # ours is: the position is the trainer's step
        ".*does not have many workers.*",
        ".*smaller than the logging interval.*",
        ".*exists and is not empty.*",
        ".*in eval mode.*",
        ".*`srun` command is available.*",  # a login node
        ".*Total length of `list` across ranks is zero.*",  # no rows are held out
    ):
        warnings.filterwarnings("ignore", message=message)
    # complaints about a model's generation config, such as Llama-2's: a training run generates nothing
    logging.getLogger("transformers.generation.configuration_utils").setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
