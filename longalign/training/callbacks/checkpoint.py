"""Checkpoints every n steps, at the end, and when the scheduler of the cluster says stop."""

import copy
import logging
import shutil
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn
from transformers import GenerationConfig

from longalign.chat import answer_ends, save_tokenizer
from longalign.data.collate import Pack
from longalign.data.datamodule import LongAlignData, data_of
from longalign.data.processes import is_lost_worker
from longalign.errors import UserError, check_least
from longalign.model.generate import ends_of_answers, save_generation_config
from longalign.model.record import read_record, write_record
from longalign.preemption import PREEMPTED, STOP_SIGNALS, Preempted, requeue
from longalign.training.callbacks.validate_at_ends import validate_now
from longalign.training.checkpoints import put_in_place, remove, whole_checkpoints
from longalign.training.module import LongAlignModule
from longalign.training.ranks import is_lost_rank
from longalign.training.strategy import ShardStrategy

log = logging.getLogger(__name__)


class StepCheckpoint(Checkpoint):
    """Write ``checkpoints/step<number>.ckpt`` under the run's folder, and ``checkpoints/hf`` for ``longalign export``.

    A checkpoint appears under its name only when it is whole. SIGTERM and SIGUSR1 (to any rank) write one at the end
    of the step and exit with status 75; under SLURM, SIGUSR1 also puts the job back into the queue. It is written
    before the validation that is due after the step, which a resumed run therefore begins with.

    Args:
        every_n_steps: optimizer steps between two checkpoints; 0 writes only the last one.
        keep: how many of the newest to keep; 0 keeps all. One more fits on the disk while it is written.
        save_last: write the state after the last step.
    """

    def __init__(self, every_n_steps: int = 200, keep: int = 2, save_last: bool = True) -> None:
        check_least("checkpoint.every_n_steps", every_n_steps, 0)
        check_least("checkpoint.keep", keep, 0)
        self.every_n_steps, self.keep, self.save_last = every_n_steps, keep, save_last
        self._stop_signal = 0
        self._previous: dict[int, Any] = {}
        self._first_step = 0
        self._saved_step = self._validated_step = -1

    def state_dict(self) -> dict[str, Any]:
        """Whether the step of a checkpoint was validated before it was written."""
        return {"validated_step": self._validated_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._validated_step = state_dict["validated_step"]

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        self.folder = checkpoint_folder(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LongAlignModule) -> None:  # type: ignore[override]
        # set here, so that they replace Lightning's own handler, which communicates with other ranks inside a signal
        self._first_step = self._saved_step = trainer.global_step
        for number in STOP_SIGNALS:
            self._previous[number] = signal.signal(number, self._remember)
        if trainer.is_global_zero:
            for leftover in self.folder.glob(".step*.ckpt.*"):  # of a run that was killed
                remove(leftover)
            _write_hf_assets(trainer, pl_module, self.folder / "hf")
        if self._validated_step != self._first_step and _validation_is_due(trainer):
            validate_now(trainer)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._stop_signal = number

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Pack, batch_idx: int) -> None:
        step, total = trainer.global_step, data_of(trainer).total_steps
        if step < total and trainer.should_stop and trainer.fit_loop._can_stop_early:  # all ranks agree
            self._end_early(trainer, step, total)
            return
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        number = torch.tensor(float(self._stop_signal), device=trainer.strategy.root_device)
        stop = int(trainer.strategy.reduce(number, reduce_op="max"))  # one device sync a step
        periodic = self.every_n_steps and step % self.every_n_steps == 0
        if stop or periodic or (step == total and self.save_last):
            self._save(trainer, step)
        if stop and step < total:
            log.info("%s: saved step %d, exiting with status %d", signal.Signals(stop).name, step, PREEMPTED)
            if stop == signal.SIGUSR1 and trainer.is_global_zero:
                requeue()
            trainer.strategy.barrier("requeued")
            raise Preempted

    def _end_early(self, trainer: Trainer, step: int, total: int) -> None:
        """Save when trainer.max_time or a callback ends the run. The micro-steps of an unfinished step are lost."""
        log.info("trainer.max_time or a callback ends the run after step %d of %d", step, total)
        if self.save_last and step:
            self._save(trainer, step)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Save if a callback, such as EarlyStopping, has just ended the run. It comes before this one."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        self._validated_step = step = trainer.global_step
        total = data_of(trainer).total_steps
        if trainer.should_stop and trainer.fit_loop._can_stop_early and step not in (self._saved_step, total):
            self._end_early(trainer, step, total)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        step, total = trainer.global_step, data_of(trainer).total_steps
        if trainer.should_stop and step == self._first_step < total:
            log.warning(
                "no step done: trainer.max_time, which counts the run's earlier parts too, or a callback ends it at "
                "step %d of %d",
                step,
                total,
            )

    def _save(self, trainer: Trainer, step: int) -> None:
        path = self.folder / f"step{step:06d}.ckpt"
        try:
            if isinstance(trainer.strategy, ShardStrategy):
                trainer.save_checkpoint(path)  # it writes aside and renames by itself
            else:
                aside = path.with_name(f".{path.name}.incomplete")
                trainer.save_checkpoint(aside)
                if trainer.is_global_zero:
                    put_in_place(aside, path)
        except self._disk_errors(trainer) as error:
            if is_lost_worker(error) or is_lost_rank(error):
                raise
            raise UserError(f"{error}: make room in {self.folder}, then go on with --ckpt_path auto") from error
        self._saved_step = step
        log.info("saved %s", path)
        for logger in trainer.loggers:
            logger.save()  # the curves up to here, too
        if trainer.is_global_zero and self.keep:
            for old in whole_checkpoints(self.folder)[: -self.keep]:
                remove(old)
        trainer.strategy.barrier("checkpoint_done")  # launchers kill the other ranks once the first has ended

    @staticmethod
    def _disk_errors(trainer: Trainer) -> tuple[type[Exception], ...]:
        """What a full disk may raise. ``ShardStrategy`` makes an OSError of it: there a RuntimeError is a lost rank."""
        return (OSError,) if isinstance(trainer.strategy, ShardStrategy) else (OSError, RuntimeError)

    def teardown(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()


def _validation_is_due(trainer: Trainer) -> bool:
    """Whether a fit validates after the step that it has reached; by the clock, it cannot be told."""
    micro_steps, every = trainer.global_step * trainer.accumulate_grad_batches, trainer.val_check_batch
    if not isinstance(every, int) or not trainer.fit_loop.epoch_loop._should_check_val_epoch():
        return False
    return micro_steps > 0 and micro_steps % every == 0


def checkpoint_folder(trainer: Trainer) -> Path:
    """Where a run keeps its checkpoints."""
    return Path(trainer.default_root_dir) / "checkpoints"


def _write_hf_assets(trainer: Trainer, module: LongAlignModule, folder: Path) -> None:
    """What an exported model needs beside its weights: config, generation config, tokenizer, and the chat format."""
    module.config.save_pretrained(folder)
    data = data_of(trainer)
    if module.model.generation_config is not None:
        save_generation_config(_ending_answers(module.model.generation_config, data), folder)
    positions = getattr(module.config, "max_position_embeddings", None)
    save_tokenizer(data.tokenizer, folder, data.chat_format, max_length=positions)
    source = Path(module.weights.folder)
    record = read_record(source).get("chatglm")
    if record:  # so that `longalign convert` can give back ChatGLM's own format
        shutil.copyfile(source / "tokenizer.model", folder / "tokenizer.model")
    write_record(folder, chat_format=data.chat_format, chatglm=record)


def _ending_answers(settings: GenerationConfig, data: LongAlignData) -> GenerationConfig:
    """The settings, with the tokens that end an answer in training among their stop tokens: servers know no others."""
    if data.chat_format == "template" and not data.tokenizer.chat_template:  # raw text alone
        return settings
    ends = ends_of_answers(settings, answer_ends(data.tokenizer, data.chat_format))
    if ends == ends_of_answers(settings, ()):
        return settings
    settings = copy.deepcopy(settings)
    settings.eos_token_id = ends
    return settings
