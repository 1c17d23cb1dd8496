"""Where the weights of a model come from, loaded on one rank or on all.

In: a folder or hub name and the model's config. Out: the model in transformers' classes, on the CPU.
"""

from dataclasses import dataclass, field

import torch
from lightning.pytorch import Trainer
from transformers import PreTrainedConfig, PreTrainedModel

from longalign.errors import UserError
from longalign.model.loading import CACHE_DIR, load_model, random_model, weights_folder


@dataclass
class Weights:
    """The weights at a path, perhaps in a GGUF file there, or random ones.

    Attributes:
        cache_dir: where converted models are kept.
        folder: from which they were loaded; for ChatGLM3, once they are, that of the converted model.
    """

    path: str
    config: PreTrainedConfig
    gguf_file: str | None = None
    cache_dir: str = CACHE_DIR
    random: bool = False
    folder: str = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.path

    def load(self, dtype: torch.dtype | str = "auto") -> PreTrainedModel:
        """The whole model on the CPU. dtype: auto is that of the files.

        Raises:
            UserError: the weights are incomplete, or hold an lm_head where the config ties it to the embedding.
        """
        if self.random:
            return random_model(self.config)
        self.folder = weights_folder(self.path, self.config, self.cache_dir)
        model = load_model(self.folder, self.config, dtype=dtype, gguf_file=self.gguf_file)
        tied = getattr(self.config, "tie_word_embeddings", False)
        if tied and model.get_output_embeddings().weight is not model.get_input_embeddings().weight:
            raise UserError(
                f"model.model: {self.path} has an lm_head of its own, and its config says tie_word_embeddings; "
                "to train both: --model.config_overrides '{tie_word_embeddings: false}'"
            )
        return model

    def load_on_rank_0(self, trainer: Trainer) -> PreTrainedModel | None:
        """The whole model on rank 0, None elsewhere and for random weights. All ranks must call it.

        Raises:
            UserError: on every rank, if rank 0 could not load it.
        """
        model, failure = None, None
        if trainer.is_global_zero and not self.random:
            try:
                model = self.load()
            except Exception as error:  # of any kind: the other ranks wait at the broadcast below
                failure = str(error) or type(error).__name__
        if failure := trainer.strategy.broadcast(failure):
            raise UserError(failure)
        return model
