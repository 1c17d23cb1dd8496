"""Log every optimizer step (losses, gradient norm, speed, memory), and show on the screen how far the run is."""

import logging
import resource
import sys
import time
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.optim import Optimizer

from longalign.counted import counted
from longalign.data.collate import Pack
from longalign.data.datamodule import data_of
from longalign.duration import duration
from longalign.errors import check_least
from longalign.model.hardware import device_peak_flops
from longalign.training.metrics import StepMeter
from longalign.training.module import LongAlignModule

log = logging.getLogger(__name__)


class StepLogger(Callback):
    """Send the metrics of each step, and of each validation, to the loggers and to the screen.

    In a terminal the screen has a progress bar, elsewhere one line every ``every_n_steps`` steps.

    Args:
        every_n_steps: optimizer steps between two lines where no terminal is attached.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        check_least("progress.every_n_steps", every_n_steps, 1)
        self.every_n_steps = every_n_steps
        self.progress: Progress | None = None
        self.since = 0.0
        self.held_out: list[tuple[int, float]] = []  # (step, loss of the held-out rows)
        self.validated: dict[str, float] = {}  # what the last validation found
        self.clock_stale = True  # time since the last step was spent on something else, such as a validation
        # host time between batches, for the loader and for Lightning; inside a step the GPU may be busy meanwhile
        self.waited_s = 0.0

    def setup(self, trainer: Trainer, pl_module: LongAlignModule, stage: str) -> None:  # type: ignore[override]
        names = data_of(trainer).source_names
        self.train = StepMeter(names, pl_module.shape)
        self.validation = StepMeter(names, pl_module.shape, by_position=True)

    def on_train_start(self, trainer: Trainer, pl_module: LongAlignModule) -> None:  # type: ignore[override]
        self.total = data_of(trainer).total_steps
        log.info("training: step %d of %d", trainer.global_step, self.total)
        if trainer.is_global_zero and sys.stderr.isatty():
            self.progress = Progress(
                TextColumn("step"),
                MofNCompleteColumn(),
                BarColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )
            self.task = self.progress.add_task("train", total=self.total, completed=trainer.global_step, note="")
            self.progress.start()

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Pack, batch_idx: int) -> None:
        now = time.perf_counter()
        if self.clock_stale:
            self.since, self.clock_stale = now, False
        else:
            self.waited_s += now - self.batch_ended

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Optimizer) -> None:
        # read now: the scheduler changes it before on_train_batch_end
        self.rate = float(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: LongAlignModule, outputs: dict[str, Any], batch: Pack, batch_idx: int
    ) -> None:
        self.train.update(batch, outputs["token_losses"])
        self.batch_ended = time.perf_counter()
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        sums = self.train.reduce(lambda x: trainer.strategy.reduce(x, reduce_op="sum"), pl_module.device)
        now = time.perf_counter()
        metrics = self._metrics(trainer, pl_module, sums, now - self.since)
        metrics["perf/loader_wait_share"] = self.waited_s / (now - self.since)
        self.since, self.waited_s = now, 0.0
        for logger in trainer.loggers:
            logger.log_metrics(metrics, step=trainer.global_step)
        if trainer.is_global_zero:
            self._show(trainer.global_step, metrics)
        self.batch_ended = time.perf_counter()

    def _metrics(
        self, trainer: Trainer, module: LongAlignModule, sums: dict[str, float], seconds: float
    ) -> dict[str, float]:
        flops = sums.pop("flops")
        metrics = {f"train/{name}": value for name, value in sums.items()}
        metrics["train/grad_norm"] = module.grad_norm
        metrics["train/skipped_steps"] = module.skipped_steps
        data = data_of(trainer)
        metrics["train/epoch"] = data.epochs * trainer.global_step / data.num_steps
        metrics["lr"] = self.rate
        metrics["perf/tokens_per_s"] = sums["tokens"] / seconds
        metrics["perf/seconds_per_step"] = seconds
        metrics["perf/working_share"] = data.working_share(trainer.global_step - 1)
        if module.device.type == "cuda":
            metrics["perf/tflops_per_s_per_gpu"] = flops / seconds / trainer.world_size / 1e12
        if peak := device_peak_flops(module.device):
            metrics["perf/mfu"] = flops / seconds / peak / trainer.world_size
        return metrics | memory_figures(module.device)

    def _show(self, step: int, metrics: dict[str, float]) -> None:
        note = f"loss {metrics['train/loss']:.4f}  lr {metrics['lr']:.2e}  {metrics['perf/tokens_per_s']:,.0f} tokens/s"
        if "perf/mfu" in metrics:
            note += f"  MFU {metrics['perf/mfu']:.3f}"
        if self.progress is not None:
            self.progress.update(self.task, completed=step, note=note)
        elif step % self.every_n_steps == 0 or step in (1, self.total):
            left = (self.total - step) * metrics["perf/seconds_per_step"]
            log.info("step %d/%d  %s  about %s left", step, self.total, note, duration(left))

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        self.clock_stale = True

    def on_validation_batch_end(  # type: ignore[override]
        self,
        trainer: Trainer,
        pl_module: Any,
        outputs: dict[str, Any],
        batch: Pack,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.validation.update(batch, outputs["token_losses"])

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LongAlignModule) -> None:  # type: ignore[override]
        sums = self.validation.reduce(lambda x: trainer.strategy.reduce(x, reduce_op="sum"), pl_module.device)
        del sums["flops"]
        metrics = {f"val/{name}": value for name, value in sums.items()}
        step = trainer.global_step if trainer.state.fn == TrainerFn.FITTING else pl_module.loaded_step
        if not trainer.sanity_checking:
            self.held_out.append((step, sums["loss"]))
            self.validated = sums
            for logger in trainer.loggers:
                logger.log_metrics(metrics, step=step)
            log.info(
                "step %d  held-out loss %.4f (%s)", step, sums["loss"], counted(int(sums["sequences"]), "sequence")
            )
        pl_module.log_dict(metrics, logger=False, batch_size=1)
        self.clock_stale = True

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def memory_figures(device: torch.device) -> dict[str, float]:
    """The most memory that this rank has used so far: of its GPU, or on a CPU of its process.

    Of a GPU also what the allocator has reserved, and how often it had to stop the GPU to make room.
    """
    if device.type != "cuda":
        return {"memory/peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}  # Linux counts in KiB
    return {
        "memory/peak_gib": torch.cuda.max_memory_allocated(device) / 2**30,
        "memory/reserved_gib": torch.cuda.max_memory_reserved(device) / 2**30,
        "memory/alloc_retries": torch.cuda.memory_stats(device)["num_alloc_retries"],
    }
