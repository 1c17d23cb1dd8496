"""The sources of answers in ``longalign needle``: a local model, a server, or a fake.

All three have the methods of `Faked`: they choose the tokenizer that lengths are counted with, say what a test costs,
and open an `Answerer`.
"""

import logging
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from longalign import __version__
from longalign.api.client import Endpoint
from longalign.counted import counted
from longalign.errors import UserError
from longalign.evaluation.fingerprint import fingerprint
from longalign.evaluation.needle.answering import Answerer, Fake, FakeAnswerer, LocalAnswerer, ServerAnswerer
from longalign.evaluation.needle.encoders import ChatPrompts, Encoder, WordPrompts
from longalign.evaluation.needle.plan import Counts, price_line
from longalign.evaluation.needle.tasks import Cell

if TYPE_CHECKING:
    from longalign.evaluation.local_model import LocalModel

log = logging.getLogger(__name__)

WORDS = "words"
"""Value of --tokenizer that counts words, without a tokenizer."""


@dataclass(frozen=True)
class Where:
    """The options that say how a local model is run."""

    device: str
    dtype: Any
    attention: str
    batch_size: int
    gguf_file: str | None
    config_overrides: dict[str, Any]

    def weights_options(self) -> str:
        """The given options that are about the weights, with commas; empty if there are none."""
        return ", ".join(name for name in ("gguf_file", "config_overrides") if getattr(self, name))


def open_source(
    model: str | None, endpoint: Endpoint | None, fake: Fake | Literal["none"], where: Where, max_new_tokens: int
) -> "AnySource":
    """The source of answers that the options name.

    Raises:
        UserError: none or several are given, or the local model's config cannot be loaded.
    """
    given = [
        name for name, value in (("--model", model), ("--api_model", endpoint), ("--fake", fake != "none")) if value
    ]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise UserError(f"got {got}, expected one of --model DIR, --api_model NAME (--base_url URL), --fake perfect")
    if model:
        return Local(model, where, max_new_tokens)
    if endpoint:
        return Server(endpoint, max_new_tokens)
    assert fake != "none"
    return Faked(fake)


class Faked:
    """Answers without a model."""

    def __init__(self, fake: Fake) -> None:
        self._fake, self.name = fake, f"fake {fake}"

    def identity(self) -> dict[str, Any]:
        """What the results depend on beside the name, for settings.json."""
        return {}

    def encoder(self, tokenizer: str | None, chat_format: str) -> Encoder:
        """The tokenizer and chat format of the prompts."""
        return named_encoder(tokenizer or WORDS, chat_format)

    def plan_lines(
        self, cells: Sequence[Cell], counts: Counts, price_in: float | None, price_out: float | None
    ) -> list[str]:
        """Lines of --plan about the work, time or cost of the cells."""
        return [f"{self.name}: no model, no cost"]

    def open(self, encoder: Encoder) -> tuple[Answerer, dict[str, str]]:
        """Load what answers; returns it with the versions that recipes record."""
        return FakeAnswerer(self._fake, encoder), versions()


class Server:
    """A model behind an OpenAI-compatible endpoint."""

    def __init__(self, endpoint: Endpoint, max_new_tokens: int) -> None:
        self._endpoint, self._max_new_tokens, self.name = endpoint, max_new_tokens, endpoint.model

    def identity(self) -> dict[str, Any]:
        return {"base_url": self._endpoint.url}

    def encoder(self, tokenizer: str | None, chat_format: str) -> Encoder:
        if tokenizer is None:
            raise UserError(
                f"tokenizer: lengths are counted in tokens of {self.name}; give --tokenizer with its folder or hub "
                f"name, or --tokenizer {WORDS} to count words instead"
            )
        return named_encoder(tokenizer, chat_format)

    def plan_lines(
        self, cells: Sequence[Cell], counts: Counts, price_in: float | None, price_out: float | None
    ) -> list[str]:
        calls = f"{counted(len(cells), 'call')} to {self.name} at {self._endpoint.url}"
        return [calls, price_line(counts, price_in, price_out)]

    def open(self, encoder: Encoder) -> tuple[Answerer, dict[str, str]]:
        return ServerAnswerer(self._endpoint, self._max_new_tokens), versions("openai")


class Local:
    """A model that runs in this process."""

    def __init__(self, model: str, where: Where, max_new_tokens: int) -> None:
        from longalign.model.loading import load_config

        self.name = os.path.expanduser(model)
        self._where, self._max_new_tokens = where, max_new_tokens
        self._config = load_config(self.name, where.config_overrides, where.gguf_file, packed=False)

    @property
    def context(self) -> float:
        """Tokens that the model's config has room for; infinite if it names no limit."""
        return getattr(self._config.get_text_config(), "max_position_embeddings", None) or math.inf

    def identity(self) -> dict[str, Any]:
        where = self._where
        named = {"gguf_file": where.gguf_file} if where.gguf_file else {}
        return {"weights": fingerprint(self.name) or self.name, "config_overrides": where.config_overrides, **named}

    def encoder(self, tokenizer: str | None, chat_format: str) -> Encoder:
        if tokenizer == WORDS:
            raise UserError(f"tokenizer: a local model needs its own tokenizer; leave --tokenizer {WORDS} out")
        return _chat_prompts(tokenizer or self.name, chat_format, self._where.gguf_file, self.name)

    def plan_lines(
        self, cells: Sequence[Cell], counts: Counts, price_in: float | None, price_out: float | None
    ) -> list[str]:
        from longalign.commands.model_loading import find_device, find_dtype
        from longalign.commands.needle_plan import model_lines

        device = find_device(self._where.device)
        itemsize = find_dtype(self._where.dtype, device, self._config).itemsize
        return model_lines(self._config, cells, counts, device, itemsize)

    def open(self, encoder: Encoder) -> tuple[Answerer, dict[str, str]]:
        model = self.load(encoder)
        assert isinstance(encoder, ChatPrompts)
        device, kind = str(model.model.device), str(model.model.dtype).removeprefix("torch.")
        more = {"device": device, "dtype": kind, "attention": model.backend or "one prompt at a time"}
        answerer = LocalAnswerer(model, encoder.tokenizer, self._max_new_tokens)
        return answerer, versions("torch", "transformers") | more

    def load(self, encoder: Encoder) -> "LocalModel":
        """Load the weights; the model answers prompts of this encoder."""
        from longalign.chat import answer_ends
        from longalign.commands.model_loading import find_device, find_dtype, load_network, quiet_transformers
        from longalign.evaluation.local_model import LocalModel

        assert isinstance(encoder, ChatPrompts)
        quiet_transformers()
        where = self._where
        device = find_device(where.device)
        dtype = find_dtype(where.dtype, device, self._config)
        network = load_network(self.name, self._config, device, dtype, where.gguf_file)
        stops = answer_ends(encoder.tokenizer, encoder.chat_format)
        model = LocalModel(network, stops, attention=where.attention, batch_size=where.batch_size)
        kind = str(dtype).removeprefix("torch.")
        log.info(
            "%s: %s, %s on %s, chat format %s", self.name, type(network).__name__, kind, device, encoder.chat_format
        )
        return model


AnySource = Faked | Server | Local


def versions(*packages: str) -> dict[str, str]:
    """Versions of longalign, Python and these packages, which a result may depend on."""
    from importlib.metadata import version

    return {"longalign": __version__, "python": platform.python_version()} | {name: version(name) for name in packages}


def named_encoder(tokenizer: str, chat_format: str, gguf_file: str | None = None) -> Encoder:
    """The encoder of a tokenizer (a folder or hub name, or `WORDS`) with a chat format, auto or its name.

    Raises:
        UserError: there is no such tokenizer, or it does not fit the format.
    """
    return WordPrompts() if tokenizer == WORDS else _chat_prompts(tokenizer, chat_format, gguf_file)


def _chat_prompts(tokenizer: str, chat_format: str, gguf_file: str | None, model: str | None = None) -> ChatPrompts:
    from longalign.chat import load_tokenizer
    from longalign.commands.model_loading import find_format

    loaded = load_tokenizer(tokenizer, gguf_file=gguf_file)
    return ChatPrompts(loaded, find_format(model or tokenizer, chat_format, loaded), tokenizer)
