"""The original LongAlign code's numbers (tests/golden/README.md) for both model families, and our way to them."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from longalign.data.collate import Pack, collate
from longalign.model.chatglm import to_chatglm
from longalign.model.loading import load_config, load_model, weights_folder

GOLDEN = Path(__file__).parent.parent / "golden"
FULL_PACKS = {"n1.idx32": 1, "n1.idx35": 1, "n1.idx45": 1, "n8.step4": 8}  # scenario -> the original's ranks
MODES = {"pack_loss": "sequence", "no_pack_loss": "pack"}  # the original's switch -> our loss
BATCHES = load_file(GOLDEN / "pack_loss/batches.safetensors")


@dataclass(frozen=True)
class Family:
    """One of the original's two models; ``overrides`` are of its config."""

    name: str
    folder: str
    overrides: dict | None = None

    @property
    def losses(self) -> dict:
        return json.loads((GOLDEN / f"pack_loss/{self.name}_losses.json").read_text())

    def gradients(self, scenario: str, mode: str) -> dict[str, Tensor]:
        prefix = f"{scenario}.{mode}."
        found = load_file(GOLDEN / f"pack_loss/{self.name}_grads.safetensors").items()
        return {key.removeprefix(prefix): value for key, value in found if key.startswith(prefix)}

    def load(self, cache: Path, ratio: float | None = None):
        """(config, model) in float32, a ChatGLM3 folder by way of its conversion."""
        path = str(GOLDEN / self.folder)
        config = load_config(path, {"rope_ratio": ratio} if ratio else self.overrides)
        return config, load_model(weights_folder(path, config, cache), config, dtype=torch.float32)

    def originals(self, gradients: dict[str, Tensor], config) -> dict[str, Tensor]:
        """Tensors of our parameters under the original's names."""
        return dict(to_chatglm(gradients.items(), config)) if self.name == "chatglm" else gradients


FAMILIES = {
    "llama": Family("llama", "llama_tiny"),
    "chatglm": Family("chatglm", "chatglm3_tiny", {"rope_ratio": 200}),
}


def rank_packs(scenario: str, mode: str) -> tuple[list[Pack], float]:
    """The pack that each of the original's ranks got, with our weights, and the step's sum of weights."""
    packs = []
    for rank in range(FULL_PACKS[scenario]):
        ids, labels, cu = (BATCHES[f"{scenario}.rank{rank}.{key}"] for key in ("input_ids", "labels", "cu_seqlens"))
        bounds = list(zip(cu[:-1].tolist(), cu[1:].tolist(), strict=True))
        packs.append(collate([(ids[0, a:b], labels[0, a:b]) for a, b in bounds], loss=MODES[mode]))
    return packs, sum(float(pack.loss_weights.double().sum()) for pack in packs)
