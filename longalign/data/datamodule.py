"""The LightningDataModule: sources, tokenised once, mixed, planned for the whole run, and dealt to the ranks.

In: the ``data`` section of the config. Out: loaders of ready ``Pack``s. All epochs are one list of packs, so that the
position of a run is one number, its step, and a resumed run continues with the very next pack.
"""

import logging
import os
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from longalign.chat import load_tokenizer
from longalign.counted import counted
from longalign.data.buckets import outside_text
from longalign.data.collate import Pack
from longalign.data.dataset import PackDataset
from longalign.data.loader import SteadyLoader
from longalign.data.mixture import Mixture, Source, check_sources, held_out_text, named_sources, select_rows
from longalign.data.plan import BatchPlan, SequenceCost, plan_batches
from longalign.data.sampler import PlanSampler
from longalign.data.tokenize import tokenize_source
from longalign.errors import UserError, check_least

log = logging.getLogger(__name__)

NOTHING_LEFT = "data: no conversation is left to train on; look at the counts of data.long and data.short"


class LongAlignData(LightningDataModule):
    """Mix long and short conversations, and deal them in packs.

    Args:
        long: long conversations: a path or hub name, or a mapping with path, count, share_of_sequences,
            share_of_tokens, repeat, validation and buckets (count or share by length).
        short: short conversations, likewise.
        text: raw text for continued pre-training, likewise: .txt and .md files, or rows with a column ``text``
            (``text_column`` names another); every token is a target.
        sources: more sources by name, likewise.
        tokenizer: folder or hub name; that of ``model.model`` by default.
        chat_format: template (the tokenizer's own chat template), chatglm3 or llama2 (LongAlign's formats).
        max_length: tokens of a pack, and of its longest sequence.
        overflow: for longer conversations: shorten_document (cut the middle of the longest user turn), truncate (from
            the end), drop, or error.
        strategy: balanced (packs whose ranks take the same time), packing, sorted or naive.
        packs_per_step: packs in an optimizer step over all ranks; a multiple of the number of ranks.
        loss: sequence (LongAlign's weighting: each conversation counts the same), token, or pack.
        epochs: how often each conversation is seen.
        validation: conversations (or whole texts) to hold out of each source that has no ``validation`` of its own: a
            count, or a fraction below 1.
        seed: decides the mix, the held-out rows and the order of the packs.
        cache_dir: where tokenised data is kept.
        num_proc: processes that tokenise; by default as many as the data's size is worth, at most one a CPU.
        num_workers: processes that load packs, on each rank.
    """

    def __init__(
        self,
        long: str | Source | None = None,
        short: str | Source | None = None,
        text: str | Source | None = None,
        sources: dict[str, str | Source] | None = None,
        tokenizer: str | None = None,
        chat_format: Literal["template", "chatglm3", "llama2"] = "template",
        max_length: int = 65536,
        overflow: Literal["shorten_document", "truncate", "drop", "error"] = "shorten_document",
        strategy: Literal["balanced", "packing", "sorted", "naive"] = "balanced",
        packs_per_step: int = 8,
        loss: Literal["sequence", "token", "pack"] = "sequence",
        epochs: int = 1,
        validation: int | float = 0,
        seed: int = 0,
        cache_dir: str = "~/.cache/longalign",
        num_proc: int | None = None,
        num_workers: int = 1,
    ) -> None:
        super().__init__()
        self.sources = named_sources(long, short, text, sources, validation)
        check_sources(self.sources)
        self.tokenizer_path = tokenizer and os.path.expanduser(tokenizer)
        self.gguf_file: str | None = None
        self.chat_format = chat_format
        self.max_length, self.overflow = max_length, overflow
        self.strategy, self.packs_per_step, self.loss = strategy, packs_per_step, loss
        self.epochs, self.seed = epochs, seed
        self.cache_dir, self.num_proc, self.num_workers = Path(cache_dir).expanduser(), num_proc, num_workers
        for key, least in (("max_length", 2), ("packs_per_step", 1), ("epochs", 1), ("num_workers", 0), ("seed", 0)):
            check_least(f"data.{key}", getattr(self, key), least)
        self._tokenizer: Any = None
        self._failure: str | None = None
        self.mixture: Mixture | None = None
        self.plans: list[BatchPlan] = []  # one for each epoch; empty unless the stage is fit
        self.max_steps = -1  # the trainer's limit, -1 for none
        self.val_plan: BatchPlan | None = None  # of the held-out rows, one pack a rank in each step

    @property
    def source_names(self) -> list[str]:
        """Names of the sources, in the order of ``Pack.source_ids``."""
        return list(self.sources)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, loaded when first asked for."""
        if self._tokenizer is None:
            if self.tokenizer_path is None:
                raise UserError("data.tokenizer: give a folder or hub name (by default it is model.model)")
            self._tokenizer = load_tokenizer(self.tokenizer_path, gguf_file=self.gguf_file)
        return self._tokenizer

    def prepare_data(self) -> None:
        """Tokenise what is not in the cache. Lightning calls this in one process of each node.

        A user's mistake is kept until ``setup``, which runs on every rank: raised here, it would leave the other ranks
        waiting.
        """
        try:
            self.load_mixture()
        except UserError as error:
            self._failure = str(error)

    def load_mixture(self) -> tuple[Mixture, Mixture]:
        """The training mix and the held-out rows, from the cache or tokenised now."""
        tokenised = {
            name: tokenize_source(
                source.path,
                self.tokenizer,
                self.chat_format,
                max_length=self.max_length,
                overflow=self.overflow,
                cache_dir=self.cache_dir,
                num_proc=self.num_proc,
                name=name,
                text_column=source.text_column,
            )
            for name, source in self.sources.items()
        }
        lengths = {name: source.lengths for name, source in tokenised.items()}
        documents = {name: source.documents for name, source in tokenised.items()}
        rows = select_rows(lengths, self.sources, documents=documents, seed=self.seed)
        self.mixture, self.held_out = Mixture(tokenised, rows.train), Mixture(tokenised, rows.validation)
        self.outside_buckets = {name: tokenised[name].lengths[outside] for name, outside in rows.outside.items()}
        if not (len(self.mixture) or len(self.held_out)):
            raise UserError(NOTHING_LEFT)
        return self.mixture, self.held_out

    def plan(self, cost: SequenceCost, world_size: int = 1) -> list[BatchPlan]:
        """The plan of every epoch, the same on every rank."""
        assert self.mixture is not None
        return [self._plan_epoch(self.mixture, self.strategy, epoch, cost, world_size) for epoch in range(self.epochs)]

    def _plan_epoch(
        self, mixture: Mixture, strategy: str, epoch: int, cost: SequenceCost, world_size: int, packs: int | None = None
    ) -> BatchPlan:
        return plan_batches(
            mixture.lengths,
            mixture.num_targets,
            strategy=strategy,
            max_length=self.max_length,
            packs_per_step=packs or self.packs_per_step,
            world_size=world_size,
            seed=self.seed,
            epoch=epoch,
            cost=cost,
        )

    def setup(self, stage: str) -> None:
        """Read the cache, plan the run, and tell the trainer how many packs a rank sees in a step."""
        trainer = self.trainer
        assert trainer is not None
        self._raise_failures()
        if self.mixture is None:
            self.prepare_data()  # another process has filled the cache: this rank only reads it
        self._raise_failures()
        if stage == "fit" and not len(self.mixture or ()):
            raise UserError(NOTHING_LEFT)
        self.check_model(trainer.lightning_module.config)
        cost = trainer.lightning_module.sequence_cost()  # type: ignore[operator]
        if stage == "fit":
            self._set_up_training(trainer, cost)
        if len(self.held_out):
            self._set_up_validation(trainer.world_size, cost)
        elif stage == "validate":
            raise UserError("data.validation: no rows are held out; expected a count or a fraction")

    def _set_up_training(self, trainer: Trainer, cost: SequenceCost) -> None:
        self.plans = self.plan(cost, trainer.world_size)  # refuses a world size that does not divide packs_per_step
        self.max_steps = trainer.max_steps
        # the loader ends there: of a run that was stopped behind its last step, Lightning would skip what is due at the
        # end of a fit, such as the last validation
        trainer.fit_loop.epoch_loop.max_steps = -1
        self._check_trainer(trainer)
        trainer.accumulate_grad_batches = self.packs_per_step // trainer.world_size
        self._validate_by_steps(trainer)
        self._warn_of_small_shares()
        for name, lengths in self.outside_buckets.items():
            if len(lengths):
                log.info("%s: %s", name, outside_text(len(lengths), lengths.min(), lengths.max()))
        log.info(
            "%s: %s in %s of %s, fill %.3f, working share %.3f on %s",
            self.strategy,
            counted(len(self.mixture or ()), "sequence"),
            counted(self.num_steps, "step"),
            counted(self.packs_per_step, "pack"),
            self.plans[0].fill(),
            self.plans[0].working_share(),
            counted(trainer.world_size, "rank"),
        )

    def _warn_of_small_shares(self) -> None:
        """Say of which source the share to hold out makes no row."""
        for number, (name, source) in enumerate(self.sources.items()):
            share = source.validation
            if isinstance(share, float) and 0 < share < 1 and not (self.held_out.source_ids == number).any():
                log.warning("data.%s.validation: %g of its rows make no row: none is held out", name, share)

    def _set_up_validation(self, world_size: int, cost: SequenceCost) -> None:
        for name, rows, texts in self.held_out.split_texts():
            log.info("%s: %s", name, held_out_text(rows, texts))
        self.val_plan = self._plan_epoch(self.held_out, "packing", 0, cost, world_size, packs=world_size)

    def check_model(self, config: Any) -> None:
        """Compare what the data holds with what the model of this config can take; after `load_mixture`."""
        assert self.mixture is not None
        rows = self.mixture if len(self.mixture) else self.held_out
        if len(self.tokenizer) > config.vocab_size:  # rare enough that a pass over all tokens is affordable
            largest = max(int(rows[i][0].max()) for i in range(len(rows)))
            if largest >= config.vocab_size:
                raise UserError(
                    f"data.tokenizer: token {largest} occurs, but the model's vocabulary has {config.vocab_size} "
                    "tokens: resize the model's embeddings, or use its own tokenizer"
                )
        positions, longest = getattr(config, "max_position_embeddings", None), int(rows.lengths.max())
        if positions and longest > positions:
            log.warning(
                "the longest sequence has %d tokens, the model was made for %d positions: "
                "see model.rope_theta, model.rope_scaling and model.max_position_embeddings",
                longest,
                positions,
            )

    def _raise_failures(self) -> None:
        """Raise on every rank the first failure of any rank, so that no rank waits for one that has ended."""
        failures = [self._failure]
        if torch.distributed.is_initialized():
            failures *= torch.distributed.get_world_size()
            torch.distributed.all_gather_object(failures, self._failure)
        if failure := next(filter(None, failures), None):
            raise UserError(failure)

    def _check_trainer(self, trainer: Trainer) -> None:
        """Refuse trainer options that would change which packs a step holds."""
        if trainer.fit_loop.max_epochs not in (None, -1, 1):
            raise UserError(
                f"trainer.max_epochs: got {trainer.fit_loop.max_epochs}; all epochs are planned as one: set data.epochs"
            )
        if overfit := getattr(trainer, "overfit_batches", 0):  # it sets limit_train_batches, too
            raise UserError(f"trainer.overfit_batches: got {overfit:g}: use a source's count and data.epochs")
        if (limit := trainer.limit_train_batches) not in (None, 1):
            key = "fast_dev_run" if getattr(trainer, "fast_dev_run", False) else "limit_train_batches"
            raise UserError(f"trainer.{key}: got {limit:g}: use trainer.max_steps or a source's count")
        if trainer._accelerator_connector.use_distributed_sampler:
            raise UserError(
                "trainer.use_distributed_sampler: got true; the plan deals the packs to the ranks: set false"
            )
        if not self.total_steps:
            raise UserError("trainer.max_steps: got 0, expected 1 or more, or -1 for the whole plan")
        accumulate = self.packs_per_step // trainer.world_size
        if trainer.accumulate_grad_batches not in (1, accumulate):
            raise UserError(
                f"trainer.accumulate_grad_batches: got {trainer.accumulate_grad_batches}, but data.packs_per_step "
                f"{self.packs_per_step} on {counted(trainer.world_size, 'rank')} makes {accumulate}: leave it out"
            )

    def _validate_by_steps(self, trainer: Trainer) -> None:
        """Make ``trainer.val_check_interval`` count steps, or a share of the run's steps: Lightning counts packs."""
        every = trainer.val_check_interval
        if not len(self.held_out):
            if every != 1.0:  # Lightning's default
                log.warning("trainer.val_check_interval: no rows are held out to validate on: set data.validation")
            return
        if not isinstance(every, int | float):  # a string or timedelta is by the clock
            return
        if isinstance(every, float):
            every = max(1, int(every * self.total_steps))
        if every > self.total_steps:
            log.warning(
                "trainer.val_check_interval: got %d steps, of %d in the run: validating after the last",
                every,
                self.total_steps,
            )
        trainer.val_check_interval = min(every, self.total_steps) * trainer.accumulate_grad_batches

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole plan."""
        return sum(plan.num_steps for plan in self.plans)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the run: the plan's, or ``trainer.max_steps`` if that is fewer."""
        return self.num_steps if self.max_steps < 0 else min(self.max_steps, self.num_steps)

    def working_share(self, step: int) -> float:
        """Share (0-1) of the ranks' time that does work in a step of the run, by the plan's cost model."""
        for plan in self.plans:
            if step < plan.num_steps:
                return plan.working_share(step)
            step -= plan.num_steps
        raise IndexError(step)

    def train_dataloader(self) -> DataLoader:
        """Ready packs of this rank, from the trainer's current step on.

        Raises:
            UserError: the run has gone further than it should, as it had more epochs or steps.
        """
        assert self.trainer is not None and self.mixture is not None
        if (done := self.trainer.global_step) > self.total_steps:
            key, got = ("data.epochs", self.epochs) if done > self.num_steps else ("trainer.max_steps", self.max_steps)
            steps = counted(self.total_steps, "step")
            raise UserError(f"{key}: got {got}, which is {steps}; the checkpoint is of step {done:,}")
        dataset = PackDataset(self.mixture, self.plans, loss=self.loss)
        return self._loader(dataset, self.packs_per_step, self.total_steps, start_step=done)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """The held-out packs of this rank, in the same order each time."""
        if self.val_plan is None:
            return []
        plan, dataset = self.val_plan, PackDataset(self.held_out, [self.val_plan], loss=self.loss)
        return self._loader(dataset, plan.packs_per_step, plan.num_steps)

    def _loader(self, dataset: PackDataset, packs_per_step: int, steps: int, start_step: int = 0) -> DataLoader:
        trainer = self.trainer
        assert trainer is not None
        sampler = PlanSampler(
            steps * packs_per_step,
            packs_per_step,
            world_size=trainer.world_size,
            rank=trainer.global_rank,
            start_step=start_step,
        )
        return SteadyLoader(
            dataset,
            batch_size=None,
            sampler=sampler,
            num_workers=self.num_workers,
            pin_memory=trainer.strategy.root_device.type == "cuda",
            prefetch_factor=4 if self.num_workers else None,
        )

    def transfer_batch_to_device(self, batch: Pack, device: torch.device, dataloader_idx: int) -> Pack:
        """Copy a pinned pack to the GPU without waiting for it. Lightning's own would wait for each of its tensors."""
        return batch.to(device, non_blocking=device.type == "cuda")

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must have in common: the contents of the steps. The position is the trainer's own step."""
        return {"plan": [plan.digest for plan in self.plans], "loss": self.loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse to resume with other steps than the run began with. More or fewer epochs are no other steps.

        Raises:
            UserError: the data, the mix, the strategy, the seed or the loss differ from the checkpoint's.
        """
        if self.plans and state_dict.get("loss", self.loss) != self.loss:
            raise UserError(
                f"data.loss: the checkpoint was trained with {state_dict['loss']}, this run has {self.loss}"
            )
        ours = [plan.digest for plan in self.plans]
        same = min(len(ours), len(state_dict["plan"]))
        if ours and ours[:same] != state_dict["plan"][:same]:
            raise UserError(
                "ckpt_path: the data or its plan is not the checkpoint's (sources, counts, tokenizer, max_length, "
                "strategy, packs_per_step or seed differ): restore them, or start a new run from an exported model"
            )


def data_of(trainer: Trainer) -> LongAlignData:
    """The data module of a run, which Lightning's types do not know."""
    return trainer.datamodule  # type: ignore[attr-defined]
