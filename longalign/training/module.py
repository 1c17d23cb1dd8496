"""The LightningModule: a transformers model, trained on packs with a loss that is normalised exactly, in one place.

In: a ``Pack`` for each micro-step. Out: its loss ``Σ w·ce · packs_per_step / M``. Lightning divides it by the number of
micro-steps, and the ranks' gradients are averaged, so that a step's gradient is that of the paper's Eq. 2, for any
packing, accumulation and number of ranks.
"""

import logging
import math
import os
from dataclasses import replace
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer
from transformers import PreTrainedModel

from longalign.counted import counted
from longalign.data.collate import Pack
from longalign.data.datamodule import LongAlignData, data_of
from longalign.data.plan import SequenceCost
from longalign.errors import UserError, check_least
from longalign.model.attention import choose_backend
from longalign.model.flops import ModelShape, model_shape, sequence_cost
from longalign.model.fused import choose_fused
from longalign.model.hardware import beside_other_programs
from longalign.model.loading import CACHE_DIR, join_overrides, load_config
from longalign.model.memory import GIB, StepMemory, layer_sizes, optimizer_state_bytes, optimizer_update_bytes
from longalign.model.memory_choice import Offload
from longalign.model.packed import check_packed_forward
from longalign.model.sharding import Gathering, decoder_layers, prepare_model, shard_model
from longalign.training.memory_plan import MemorySettings, free_memory
from longalign.training.optimizer_errors import while_made, while_updating
from longalign.training.schedule import WarmupCosine
from longalign.training.state_offload import StateOffload
from longalign.training.strategy import ShardStrategy
from longalign.training.weights import Weights

log = logging.getLogger(__name__)

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
"""Of a whole model, whose weights stay fp32; Lightning's others would change the packs, too."""

COMPUTE_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def paper_adamw(params: Any) -> Optimizer:
    """AdamW as in the paper: rate 2e-5, β 0.9 and 0.95, no decay."""
    return torch.optim.AdamW(params, lr=2e-5, betas=(0.9, 0.95), weight_decay=0.0)


class LongAlignModule(LightningModule):
    """Align a causal language model on packs of conversations.

    Args:
        model: folder or hub name of the model; its tokenizer is used unless ``data.tokenizer`` names another. A folder
            in ChatGLM3's own format is converted once, into ``cache_dir``.
        attention: backend of the packed attention: auto (the first that runs), flash_attn_4, flash_attn_3 or
            flash_attn_2 (packages flash-attn-4, flash-attn-3, flash-attn), torch (FlashAttention 2 in torch) or sdpa
            (one sequence at a time, any device).
        fused: kernels of RMSNorm, SwiGLU and rotary embedding: liger (package liger-kernel), none (transformers' own),
            or auto (Liger's on a GPU where the package is installed, under ``ShardStrategy``).
        checkpointing: what the backward computes again: none, full (whole layers), attention (all but attention),
            matmuls (all but attention, and in the last ``kept_layers`` all but most matrix products), or auto: the
            fastest of these, with the ``kept_layers``, that fits into the GPU's memory.
        kept_layers: how many of the last layers keep all activations where ``checkpointing`` is full or attention, and
            the outputs of matrix products where it is matmuls.
        offload: what waits in the host's memory: activations (inputs of checkpointed layers, and their attention
            outputs, until the backward), states (the optimizer's of the layers, from forward to backward), all of
            these, none, or auto: that without which a step would not fit, or which makes it faster, because the room
            holds activations that are computed again otherwise, and the link to the host hides the copies.
        gpu_memory_gib: how much of each GPU's memory to plan with; by default all that is free.
        compute_dtype: of activations and gathered weights: auto is bfloat16 on a GPU and float32 on a CPU. Master
            weights, gradients between ranks and optimizer states are float32.
        optimizer: a ``torch.optim`` class path with its arguments.
        scheduler: a learning-rate scheduler's class path, stepped once an optimizer update.
        rope_theta: base of the rotary positions; the paper extends a context by 200 times the model's own (2e6 for
            Llama-2). It goes into the exported config, as the next two do.
        rope_scaling: how rotary positions are scaled, in the form of transformers' rope_parameters, such as
            {rope_type: yarn, factor: 8}; also linear and llama3.
        max_position_embeddings: tokens that the model is made for; servers take it for the context length.
        config_overrides: other keys of the model's config to change; for ChatGLM3 and GLM also rope_ratio (200 for
            LongAlign-6B, whose own code hard-codes it).
        random_weights: start from random weights; ``model`` then needs a config and no weights.
        gguf_file: name of a GGUF file inside the ``model`` folder, to load its weights and tokenizer.
        cache_dir: where converted models are kept; ``data.cache_dir`` by default.
        max_skipped_steps: stop after this many updates in a row whose gradient is not finite (each is skipped).
    """

    def __init__(
        self,
        model: str,
        attention: Literal["auto", "flash_attn_4", "flash_attn_3", "flash_attn_2", "torch", "sdpa"] = "auto",
        fused: Literal["auto", "liger", "none"] = "auto",
        checkpointing: Literal["auto", "none", "full", "attention", "matmuls"] = "auto",
        kept_layers: int = 0,
        offload: Offload = "auto",
        gpu_memory_gib: float | None = None,
        compute_dtype: Literal["auto", "bfloat16", "float32"] = "auto",
        optimizer: OptimizerCallable = paper_adamw,
        scheduler: LRSchedulerCallable = WarmupCosine,
        rope_theta: float | None = None,
        rope_scaling: dict[str, Any] | None = None,
        max_position_embeddings: int | None = None,
        config_overrides: dict[str, Any] | None = None,
        random_weights: bool = False,
        gguf_file: str | None = None,
        cache_dir: str | None = None,
        max_skipped_steps: int = 5,
    ) -> None:
        super().__init__()
        self.path, self.gguf_file = os.path.expanduser(model), gguf_file
        self.attention, self.fused, self.compute_dtype = attention, fused, compute_dtype
        self.memory_settings = MemorySettings(checkpointing, kept_layers, offload, gpu_memory_gib)
        self.optimizer, self.scheduler = optimizer, scheduler
        check_least("model.max_skipped_steps", max_skipped_steps, 1)
        self.max_skipped_steps = max_skipped_steps
        context = {
            "rope_theta": rope_theta,
            "rope_scaling": rope_scaling,
            "max_position_embeddings": max_position_embeddings,
        }
        self.config = load_config(self.path, join_overrides(context, config_overrides or {}), gguf_file)
        self.weights = Weights(self.path, self.config, gguf_file, cache_dir or CACHE_DIR, random_weights)
        self.shape: ModelShape = model_shape(self.config)
        self.sizes = layer_sizes(self.config, self.shape)
        if kept_layers > self.sizes.layers:
            raise UserError(f"model.kept_layers: got {kept_layers}, the model has only {self.sizes.layers}")
        self.model: Any = None
        self.memory: StepMemory | None = None  # how activations are kept, once the model is made
        self.grad_norm = float("nan")
        self.skipped_steps = self.skipped_in_a_row = 0
        self.loaded_step = 0  # step of the checkpoint from which the weights were loaded
        self._forward_checked = False
        self._gathering: Gathering | None = None  # of a model in shards
        self._states: StateOffload | None = None  # of the optimizer, if they are offloaded

    def sequence_cost(self) -> SequenceCost:
        """How long a sequence of a given length takes, for the plan.

        Depends on the model's shape alone: with other checkpointing the plan is the same, and the run can be resumed.
        """
        return sequence_cost(self.shape)

    def configure_model(self) -> None:
        """Build the model, once: as FSDP2 shards under ``ShardStrategy``, as a whole copy under any other strategy."""
        if self.model is not None:
            return
        # TF32 could round positions above 2048 in the product that makes rotary angles
        torch.set_float32_matmul_precision("highest")
        strategy = self.trainer.strategy
        dtype = self._compute_dtype(strategy.root_device)
        attention = choose_backend(self.attention, strategy.root_device, dtype)
        if isinstance(strategy, ShardStrategy):
            self.model = self._sharded_model(strategy, attention, dtype)
        elif isinstance(strategy, ModelParallelStrategy):
            raise UserError("trainer.strategy: use longalign.training.strategy.ShardStrategy instead of its base class")
        else:
            self.model = self._whole_model(attention)

    def _whole_model(self, attention: str) -> PreTrainedModel:
        """The model with fp32 weights on the CPU; Lightning moves it. attention: a backend's name."""
        if self.fused == "liger":
            raise UserError("model.fused: liger goes with ShardStrategy (the default trainer.strategy); use auto")
        if self.trainer.precision not in PRECISIONS:
            raise UserError(
                f"trainer.precision: got {self.trainer.precision}, expected {', '.join(PRECISIONS)}: "
                "weights stay fp32, and model.compute_dtype says in what to compute"
            )
        whole = self.weights.load(dtype=torch.float32)
        step = self.memory = self.memory_settings.unplanned(self.sizes)
        return prepare_model(whole, attention, step.checkpointing, kept_layers=step.kept_layers, offload=step.offload)

    def _sharded_model(self, strategy: ShardStrategy, attention: str, dtype: torch.dtype) -> PreTrainedModel:
        """The model as shards on the ranks' devices, with activations kept as ``self.memory`` then says."""
        if self.trainer.precision != "32-true":
            raise UserError(
                f"trainer.precision: got {self.trainer.precision}; with ShardStrategy the master weights stay 32-true "
                "and model.compute_dtype says in what to compute"
            )
        fused = choose_fused(self.fused, strategy.root_device)
        step = self.memory = self._plan_memory(strategy, fused, dtype)
        model = shard_model(
            self.config,
            self.weights.load_on_rank_0(self.trainer),
            strategy.shard_mesh,
            strategy.root_device,
            attention=attention,
            checkpointing=step.checkpointing,
            kept_layers=step.kept_layers,
            offload=step.offload,
            fused=fused,
            compute_dtype=dtype,
            random_weights=self.weights.random,
        )
        self._gathering = Gathering(model, after_forward=not step.resharded, once=step.gathered_once)
        return model

    def _compute_dtype(self, device: torch.device) -> torch.dtype:
        if self.compute_dtype == "auto":
            return torch.bfloat16 if device.type == "cuda" else torch.float32
        return COMPUTE_DTYPES[self.compute_dtype]

    def step_memory(self, data: LongAlignData, ranks: int, gather_once: bool = True, **more: Any) -> StepMemory:
        """A training step on packs of ``data.max_length``, for the memory estimate.

        gather_once: as of ``ShardStrategy``. more: fields of ``StepMemory``.
        """
        micro_steps = max(1, data.packs_per_step // ranks)
        return StepMemory(
            self.sizes,
            data.max_length,
            ranks,
            micro_steps=micro_steps,
            gathered_once=gather_once and micro_steps > 1,
            state_bytes=optimizer_state_bytes(self._make_optimizer),
            update_bytes=optimizer_update_bytes(self._make_optimizer),
            **more,
        )

    def explain_out_of_memory(self) -> str:
        """One line for a run that ran out of GPU memory: when, how much was in use and expected, what to change."""
        used = torch.cuda.max_memory_allocated(self.device) / GIB if self.device.type == "cuda" else 0.0
        others = beside_other_programs(self.device)
        line = f"out of GPU memory after {counted(self.trainer.global_step, 'step')}, {used:.1f} GiB in use{others}"
        return line + self.memory_settings.explain_out_of_memory(self.memory, used)

    def _plan_memory(self, strategy: ShardStrategy, fused: bool, dtype: torch.dtype) -> StepMemory:
        """How a step keeps its activations, by the GPUs' free memory and the longest pack. A validation keeps none."""
        data: Any = getattr(self.trainer, "datamodule", None)
        if data is None or self.trainer.state.fn != TrainerFn.FITTING:
            return self.memory_settings.unplanned(self.sizes)
        step = self.step_memory(
            data,
            self.trainer.world_size,
            compute_bytes=dtype.itemsize,
            fused=fused,
            fill=data.plans[0].fill(),
            resharded=strategy.reshard_after_forward,
            gather_once=strategy.gather_once,
        )
        if strategy.root_device.type != "cuda":
            plain = self.memory_settings.unplanned(self.sizes)
            return replace(plain, resharded=step.resharded, gathered_once=step.gathered_once)
        others = beside_other_programs(strategy.root_device)
        return self.memory_settings.plan(step, *free_memory(strategy, self.trainer.num_devices), others)

    def _autocast(self) -> torch.autocast:
        """Compute in bf16 also where no FSDP2 policy says so: under strategies other than ``ShardStrategy``."""
        enabled = not isinstance(self.trainer.strategy, ShardStrategy)
        dtype = self._compute_dtype(self.device)
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled and dtype == torch.bfloat16)

    def check_forward(self) -> None:
        """Check, once in a process, on a few tokens that a pack's logits are those of each sequence alone."""
        if not self._forward_checked:
            training = self.model.training
            with self._autocast():
                difference = check_packed_forward(self.model.eval(), self.device)
            self.model.train(training)
            log.info(
                "logits of a pack equal those of each sequence alone up to %.1e of their standard deviation", difference
            )
            self._forward_checked = True

    def on_fit_start(self) -> None:
        if self.trainer.gradient_clip_algorithm == "value":
            raise UserError("trainer.gradient_clip_algorithm: got value, expected norm")
        if self.memory is not None and self.memory.states_offloaded:
            self._states = StateOffload(self.trainer.optimizers[0], decoder_layers(self.model))
        self.check_forward()

    def on_validation_start(self) -> None:
        self.check_forward()

    def training_step(self, pack: Pack, batch_idx: int) -> dict[str, Tensor]:
        """Loss of one pack, scaled so that averaging over micro-steps and ranks gives Σ w·ce / M of the step."""
        last_micro_step = (batch_idx + 1) % self.trainer.accumulate_grad_batches == 0
        if self._gathering is not None:
            self._gathering.begin(last_micro_step)
        if self._states is not None:
            self._states.begin(last_micro_step)
        with self._autocast():
            loss_sum, token_losses = self.model.packed_loss(pack)
        packs_per_step = self.trainer.world_size * self.trainer.accumulate_grad_batches
        return {"loss": loss_sum * (packs_per_step / pack.step_weight), "token_losses": token_losses}

    def validation_step(self, pack: Pack, batch_idx: int) -> dict[str, Tensor]:
        """Cross-entropy of each target of a held-out pack."""
        with self._autocast():
            return {"token_losses": self.model.packed_loss(pack)[1]}

    def score_targets(self, pack: Pack, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How likely each target is, and another token in its place; see ``packed_scores``. All ranks must call it."""
        with self._autocast():
            return self.model.packed_scores(pack, others)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer, and the schedule stepped once an update over the plan's number of steps."""
        optimizer = self._make_optimizer(self.parameters())
        scheduler = self.scheduler(optimizer)
        if isinstance(scheduler, WarmupCosine) and scheduler.total_steps is None:
            scheduler.set_total_steps(data_of(self.trainer).total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _make_optimizer(self, parameters: Any) -> Optimizer:
        with while_made():
            return self.optimizer(parameters)

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """Step, and free the gradients at once: Lightning would hold them through the next forward."""
        with while_updating(self.trainer.optimizers[0]):
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        optimizer.zero_grad(set_to_none=True)
        if self._gathering is not None:
            self._gathering.end()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        if self._states is not None:
            self._states.wait()

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Measure the global gradient norm, clip to it, and drop the gradients of a step if it is not finite.

        Without gradients the optimizer changes neither weights nor states. The norm is global, so all ranks agree.
        """
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        norm = get_total_norm(gradients)
        norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        self.grad_norm = float(norm)  # one device sync a step
        if not math.isfinite(self.grad_norm):
            return self._skip_step(optimizer)
        self.skipped_in_a_row = 0
        if gradient_clip_val and self.grad_norm > gradient_clip_val:
            torch._foreach_mul_(gradients, gradient_clip_val / (self.grad_norm + 1e-6))
        return None

    def _skip_step(self, optimizer: Optimizer) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.skipped_steps += 1
        self.skipped_in_a_row += 1
        log.warning("step %d skipped: gradient norm is %s", self.trainer.global_step + 1, self.grad_norm)
        if self.skipped_in_a_row >= self.max_skipped_steps:
            raise UserError(
                f"{counted(self.skipped_in_a_row, 'update')} in a row had gradients that are not finite: "
                "lower model.optimizer's lr or look at the data (model.max_skipped_steps)"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["longalign"] = {
            "model": self.path,
            "gguf_file": self.gguf_file,
            "packs_per_step": self.trainer.world_size * self.trainer.accumulate_grad_batches,
            "global_step": self.trainer.global_step,
            "skipped_steps": self.skipped_steps,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Count the position of the checkpoint in micro-steps of this run, which may have another number of ranks."""
        saved = checkpoint.get("longalign")
        self.loaded_step = 0 if saved is None else saved["global_step"]
        if saved is None or self.trainer.state.fn != TrainerFn.FITTING:
            return
        self.skipped_steps = saved.get("skipped_steps", 0)  # older checkpoints do not tell
        accumulate = self.trainer.accumulate_grad_batches
        if saved["packs_per_step"] != self.trainer.world_size * accumulate:
            raise UserError(
                f"data.packs_per_step: the checkpoint was made with {saved['packs_per_step']}, "
                f"this run has {self.trainer.world_size * accumulate}"
            )
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        done = saved["global_step"] * accumulate
        progress["is_last_batch"] = saved["global_step"] == data_of(self.trainer).total_steps
        for counts in (progress["total"], progress["current"]):
            counts.update(ready=done, started=done, processed=done, completed=done - 1)
