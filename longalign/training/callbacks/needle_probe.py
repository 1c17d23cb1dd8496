"""The needle test while a model trains: a few lengths, depths and seeds, packed and scored by one forward each.

Nothing is generated and no cache is kept: prompts with their answers behind them run through the model's own packed
forward, sharded as it trains, on every rank. Training with and without it ends in the same bits.
"""

import itertools
import json
import logging
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from longalign.data.datamodule import data_of
from longalign.errors import UserError, check_least
from longalign.evaluation.needle.build import Builder, grid
from longalign.evaluation.needle.encoders import ChatPrompts
from longalign.evaluation.needle.forced import ForcedCell, Score, deal_packs, forced_cells, make_pack, score_cells
from longalign.evaluation.needle.haystack import make_haystack
from longalign.evaluation.needle.heatmap import heatmap_image
from longalign.evaluation.needle.statistics import KEPT, summarise
from longalign.evaluation.needle.tasks import Cell, Language, Task
from longalign.files import write_text
from longalign.training.callbacks.step_logger import StepLogger
from longalign.training.module import LongAlignModule

log = logging.getLogger(__name__)

ANSWER_ROOM = 64
"""Tokens of a cell's length that are left for the answer, as ``longalign needle`` leaves by default."""


class NeedleProbe(Callback):
    """Recall of hidden facts before the first step, every ``every_n_steps`` steps, and at the end.

    Logs ``needle/recall``, ``needle/log_prob``, ``needle/contrast`` (log-probability of the right answer over a wrong
    one), recall by length and by depth, ``needle/effective_length`` (up to which recall keeps 85 % of that at the
    shortest length; of means, as the cells are few), a heat map (TensorBoard, where matplotlib is installed), and a row
    a cell to ``needle.jsonl`` in the run's folder. A run has one, as the curves of two would have the same names.

    Args:
        every_n_steps: optimizer steps between two probes; 0 probes at the ends only.
        lengths: of prompt and answer room, in tokens; by default an eighth, a half and all of data.max_length,
            each 512 at least.
        depths: where the fact stands, in percent of the document.
        seeds: different facts and documents for each length and depth.
        task: single, kv (a key with a random number), multi_value, multi_key or variable_tracking.
        language: en or zh.
        haystack: folder of .txt and .md files; by default texts are generated.
        max_time_share: share of the run's time (0-1) that the probes between start and end may take; one that would
            exceed it is left out, which the log says.
    """

    def __init__(
        self,
        every_n_steps: int = 100,
        lengths: list[int] | None = None,
        depths: list[float] | None = None,
        seeds: int = 2,
        task: Task = "kv",
        language: Language = "en",
        haystack: str | None = None,
        max_time_share: float = 0.05,
    ) -> None:
        check_least("NeedleProbe.every_n_steps", every_n_steps, 0)
        check_least("NeedleProbe.seeds", seeds, 1)
        if lengths is not None and not (lengths and min(lengths) >= 1):
            raise UserError(f"NeedleProbe.lengths: got {lengths}, expected numbers of tokens")
        if depths is not None and not (depths and all(0 <= depth <= 100 for depth in depths)):
            raise UserError(f"NeedleProbe.depths: got {depths}, expected percents from 0 to 100")
        if not 0 <= max_time_share <= 1:
            raise UserError(f"NeedleProbe.max_time_share: got {max_time_share}, expected 0 to 1")
        self.every_n_steps, self.lengths, self.depths, self.seeds = every_n_steps, lengths, depths, seeds
        self.task, self.language, self.haystack = task, language, haystack
        self.max_time_share = max_time_share
        self.cells: list[ForcedCell] = []
        self.spent_s = self.between_s = self.last_s = 0.0
        self.left_out = 0
        self.last_step = self.due_step = -1  # the last that was probed, and the last at which a probe was due

    def setup(self, trainer: Trainer, pl_module: LongAlignModule, stage: str) -> None:  # type: ignore[override]
        """Refuse a second probe, before the model is loaded."""
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        if sum(isinstance(callback, NeedleProbe) for callback in callbacks) > 1:
            raise UserError("trainer.callbacks: two NeedleProbes, whose curves would mix; give one")

    def on_train_start(self, trainer: Trainer, pl_module: LongAlignModule) -> None:  # type: ignore[override]
        self.started = time.perf_counter()
        self._prepare(trainer)
        if trainer.global_step == 0:
            self._probe(trainer, pl_module)

    def on_train_batch_start(  # type: ignore[override]
        self, trainer: Trainer, pl_module: LongAlignModule, batch: Any, batch_idx: int
    ) -> None:
        """Probe after every ``every_n_steps`` steps, before the next one starts, when no clock of the logger runs."""
        step = trainer.global_step
        due = self.every_n_steps and step and step % self.every_n_steps == 0 and step != self.due_step
        if not due or batch_idx % trainer.accumulate_grad_batches:
            return
        self.due_step = step
        if self._within_budget(trainer):
            self._probe(trainer, pl_module)
            self.between_s += self.last_s
            return
        self.left_out += 1
        log.info(
            "step %d  needle probe left out: with it, those after the first would have taken %.1f%% of the time, "
            "NeedleProbe.max_time_share is %g",
            step,
            100 * (self.between_s + self.last_s) / (time.perf_counter() - self.started),
            self.max_time_share,
        )

    def on_train_end(self, trainer: Trainer, pl_module: LongAlignModule) -> None:  # type: ignore[override]
        if self.last_step != trainer.global_step:
            self._probe(trainer, pl_module)
        took = time.perf_counter() - self.started
        log.info(
            "needle probes took %.1f s, %.1f%% of the run's time; %d left out",
            self.spent_s,
            100 * self.spent_s / max(took, 1e-9),
            self.left_out,
        )

    def _prepare(self, trainer: Trainer) -> None:
        """Build the prompts, the same on every rank, and take this rank's packs of them."""
        data = data_of(trainer)
        lengths = self.lengths or sorted({max(data.max_length // parts, 512) for parts in (8, 2, 1)})
        depths = [10.0, 50.0, 90.0] if self.depths is None else self.depths
        try:
            encoder = ChatPrompts(data.tokenizer, data.chat_format, str(data.tokenizer_path))
            hay = make_haystack(encoder, max(lengths), path=self.haystack, language=self.language)
            builder = Builder(hay, encoder, ANSWER_ROOM)
            cells = grid(sorted(set(lengths)), sorted(set(depths)), self.seeds, self.task, self.language)
            self.cells = forced_cells(builder, cells)
        except UserError as error:
            raise UserError(f"NeedleProbe: {error}") from error
        self.packs = deal_packs(self.cells, data.max_length, trainer.world_size)[trainer.global_rank]

    def _within_budget(self, trainer: Trainer) -> bool:
        """Whether a probe as long as the last one stays within max_time_share. Rank 0 decides for all."""
        elapsed = time.perf_counter() - self.started
        return bool(trainer.strategy.broadcast(self.between_s + self.last_s <= self.max_time_share * elapsed))

    def _probe(self, trainer: Trainer, module: LongAlignModule) -> None:
        start = time.perf_counter()
        scores = self._scores(trainer, module)
        self.last_s = time.perf_counter() - start
        self.spent_s += self.last_s
        self.last_step = trainer.global_step
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, StepLogger):
                callback.clock_stale = True
        if trainer.is_global_zero:
            self._log(trainer, scores)

    @torch.no_grad()
    def _scores(self, trainer: Trainer, module: LongAlignModule) -> list[Score]:
        """Score this rank's packs, a forward each. Returns the scores of all cells, on every rank."""
        training = module.model.training
        module.model.eval()
        table = torch.zeros(len(self.cells), 3, dtype=torch.float64, device=module.device)
        for numbers in self.packs:
            cells = [self.cells[number] for number in numbers]
            pack, others = make_pack(cells)
            found = module.score_targets(pack.to(module.device), torch.from_numpy(others).to(module.device))
            for number, score in zip(numbers, score_cells(cells, *(x.cpu().numpy() for x in found)), strict=True):
                table[number] = torch.tensor([float(score.exact), score.log_prob, score.contrast], dtype=torch.float64)
        module.model.train(training)
        rows = trainer.strategy.reduce(table, reduce_op="sum").tolist()
        return [Score(cell.cell, bool(row[0]), row[1], row[2]) for cell, row in zip(self.cells, rows, strict=True)]

    def _log(self, trainer: Trainer, scores: list[Score]) -> None:
        step = trainer.global_step
        summary = summarise(_write_rows(Path(trainer.default_root_dir) / "needle.jsonl", step, scores))
        metrics = self._metrics(scores, summary)
        for logger in trainer.loggers:
            logger.log_metrics(metrics, step=step)
            if isinstance(logger, TensorBoardLogger):
                self._draw(logger, summary, step)
        lengths = "  ".join(f"{row['length']:,}: {row['recall']:.2f}" for row in summary["by_length"])
        log.info(
            "step %d  needle recall %.2f (%s)  contrast %+.2f  %.1f s",
            step,
            metrics["needle/recall"],
            lengths,
            metrics["needle/contrast"],
            self.last_s,
        )

    def _metrics(self, scores: list[Score], summary: dict[str, Any]) -> dict[str, float]:
        return {
            "needle/recall": summary["recall"]["recall"],
            "needle/log_prob": float(np.mean([score.log_prob for score in scores])),
            "needle/contrast": float(np.mean([score.contrast for score in scores])),
            "needle/effective_length": _effective_length(summary["by_length"]),
            "needle/seconds": self.last_s,
            "needle/time_share": self.spent_s / max(time.perf_counter() - self.started, 1e-9),
            **{f"needle/length_{row['length']}": row["recall"] for row in summary["by_length"]},
            **{f"needle/depth_{row['depth']:g}": row["recall"] for row in summary["by_depth"]},
        }

    def _draw(self, logger: TensorBoardLogger, summary: dict[str, Any], step: int) -> None:
        axes = {key: [row[key[:-1]] for row in summary[f"by_{key[:-1]}"]] for key in ("lengths", "depths")}
        image = heatmap_image({**summary, **axes}, f"{self.task}, step {step}")
        if image is not None:
            logger.experiment.add_image("needle/heatmap", image, step, dataformats="HWC")


def _write_rows(file: Path, step: int, scores: list[Score]) -> list[dict[str, Any]]:
    """Add a row for each cell to a file of JSON lines; returns the rows.

    Rows of these cells that are of this step or a later one are of a run that was killed, and go.
    """
    rows = [{"step": step, **asdict(score.cell), **asdict(score), "recall": float(score.exact)} for score in scores]
    for row in rows:
        del row["cell"]
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
    cells = {tuple(asdict(score.cell).values()) for score in scores}
    kept = [line for line in lines if _stays(line, step, cells)]
    write_text(file, "".join(line + "\n" for line in (*kept, *map(json.dumps, rows))))
    return rows


def _stays(line: str, step: int, cells: set[tuple[Any, ...]]) -> bool:
    """Whether a row is of an earlier step, or of a cell of another probe; a row that was cut off does not stay."""
    try:
        row = json.loads(line)
        return row["step"] < step or tuple(row[field.name] for field in fields(Cell)) not in cells
    except (ValueError, TypeError, KeyError):
        return False


def _effective_length(by_length: list[dict[str, Any]]) -> int:
    """The longest length up to which recall stays at 85 % of that at the shortest length; 0 if nothing is found."""
    kept = itertools.takewhile(lambda row: row["recall"] >= KEPT * by_length[0]["recall"] > 0, by_length)
    return max((row["length"] for row in kept), default=0)
