"""The steps of the whole recipe: the `longalign` commands with their options, in order."""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from longalign.commands.reproduce.scale import COMPARED, EACH_STEP, Scale
from longalign.commands.reproduce.steps import SUMMARY, Step
from longalign.data.plan import ONE_SEQUENCE_A_PACK

CONFIG = Path(__file__).parents[3] / "configs/smollm2_64k.yaml"
TASKS = ("single", "kv", "multi_key", "multi_value", "variable_tracking")
SOME = ("single", "kv")
FEW = ("multi_key",)

BATCHING = {  # name -> (strategy, loss): those of the paper's Figure 5 and Table 3, and our default
    "naive": ("naive", "sequence"),
    "sorted": ("sorted", "sequence"),
    "packing": ("packing", "pack"),
    "packing_lw": ("packing", "sequence"),
    "balanced_lw": ("balanced", "sequence"),
}

SHARES = {"long-0": (0, 1), "long-half": (0.5, 1), "short-0": (1, 0)}
"""name -> (share of the long documents, share of the chats); (1, 1) is `balanced_lw` above."""


@dataclass(frozen=True)
class Recipe:
    """The steps of each act.

    Attributes:
        out: the folder of all files, in data/, runs/, models/, needle/ and held_out/. scale: how much of everything.
        original: folder of the model to start from. text: raw text to train on. haystack: text for the needle tests.
    """

    out: Path
    scale: Scale
    original: Path
    text: Path
    haystack: Path

    def model(self, name: str) -> Path:
        """The folder of a model that an act makes."""
        return self.out / "models" / name

    def data(self) -> Iterator[Step]:
        """Generate long tasks and short chats, and questions that the original model answers."""
        shortest, held_out = self.scale.shortest, self.scale.held_out
        asked = {"train": self.scale.asked, "validation": 4 * held_out}
        for split, count in asked.items():
            yield self._generated("questions", split, count)
        yield from map(self._answered, asked)
        for split, long, medium, short in (
            ("train", self.scale.long, self.scale.medium, self.scale.short),
            ("validation", held_out, held_out, held_out),
        ):
            yield self._documents("long", split, long, shortest, self._longest)
            yield self._documents("medium", split, medium, shortest // 4, shortest)
            if split == "train":
                yield self._documents("long_text", split, long, shortest, self._longest, f"--text={self.text}")
                yield self._documents("medium_text", split, medium, shortest // 4, shortest, f"--text={self.text}")
            yield self._generated("short", split, short)

    def before(self) -> Iterator[Step]:
        """Test the model as it comes, and with the new rotary base alone."""
        base = f"--config_overrides={{rope_theta: 5.0e6, max_position_embeddings: {self.scale.length}}}"
        yield self._held_out("as_it_comes", self.original)
        yield from self._needles("as_it_comes", self.original, tasks=SOME)
        yield from self._needles("base_alone", self.original, base, tasks=SOME)

    def extend(self) -> Iterator[Step]:
        """Continue the pre-training with the new base, on raw text and on some of the model's own answers."""
        own = f"--data.short={{path: {self.out}/data/own-train.jsonl, count: {self.scale.asked // 4}, repeat: true}}"
        options = (f"--data.text={self.text}", own, "--data.loss=token", "--data.epochs=2")
        yield from self._trained({"extended": options}, self.original, tasks=SOME)

    def align(self) -> Iterator[Step]:
        """Align the model on all long and short conversations."""
        yield from self._trained({"aligned": self._mix()}, self.model("extended"))

    def compare(self) -> Iterator[Step]:
        """Train on the same conversations with five ways of batching, with about as many of them in each step."""
        ways = {}
        for name, (strategy, loss) in BATCHING.items():
            packs = EACH_STEP if strategy in ONE_SEQUENCE_A_PACK else 1
            way = (f"--data.strategy={strategy}", f"--data.loss={loss}", f"--data.packs_per_step={packs}")
            ways[name] = (*self._mix(COMPARED), *way)
        yield from self._trained(ways, self.model("extended"), tasks=FEW)

    def shares(self) -> Iterator[Step]:
        """Train without long documents, with half of them (as in the paper's Table 2), and without chats."""
        mixes = {name: self._mix(COMPARED, long, chats) for name, (long, chats) in SHARES.items()}
        yield from self._trained(mixes, self.model("extended"), tasks=FEW)

    def further(self) -> Iterator[Step]:
        """Extend the aligned model to twice the length."""
        length = 2 * self.scale.length
        count = math.ceil(self.scale.long / 40)
        yield self._documents("longer", "train", count, self.scale.length, 2 * self._longest)
        options = (
            f"--data.long={self.out}/data/longer-train.jsonl",
            f"--data.short={self.out}/data/own-train.jsonl",
            f"--data.max_length={length}",
            f"--model.max_position_embeddings={length}",
            "--model.rope_theta=2.0e7",
        )
        lengths = ",".join(str(length * share // 16) for share in (2, 8, 15))
        probe = (f"--lengths={lengths}", "--depths=10,50,90", "--seeds=8" if length > 10_000 else "--seeds=1")
        yield from self._trained({"aligned_128k": options}, self.model("aligned"), probe=probe)

    @property
    def _longest(self) -> int:
        return int(0.97 * self.scale.length)  # leaves room for the tokens of the chat format

    def _documents(self, name: str, split: str, count: int, least: int, most: int, *more: str) -> Step:
        options = (f"--length={least}:{most}", f"--questions={self.scale.questions}", *more)
        return self._generated("long", split, count, *options, name=name)

    def _generated(self, kind: str, split: str, count: int, *more: str, name: str | None = None) -> Step:
        file = self.out / "data" / f"{name or kind}-{split}.jsonl"
        options = (
            f"--kind={kind}",
            f"--count={count}",
            f"--split={split}",
            "--language=en",
            f"--tokenizer={self.original}",
        )
        return Step(file.stem, ("data", "generate", f"--out={file}", *options, *more), file)

    def _answered(self, split: str) -> Step:
        file = self.out / "data" / f"own-{split}.jsonl"
        questions = self.out / "data" / f"questions-{split}.jsonl"
        options = (f"--questions={questions}", f"--model={self.original}", f"--max_new_tokens={self.scale.answer}")
        # decoding is bound by the CPU, whose time for a token does not grow with the batch
        together = "--batch_size=2048"
        return Step(file.stem, ("data", "answer", *options, together, f"--out={file}"), file)

    def _mix(self, share: float = 1, long: float = 1, chats: float = 1) -> tuple[str, ...]:
        """Options of `fit` for a share of all data, in which long documents and chats have other shares yet."""
        folder = self.out / "data"
        counts = {
            "long": (f"{folder}/long-train.jsonl", long * self.scale.long),
            "sources.long_text": (f"{folder}/long_text-train.jsonl", long * self.scale.long),
            "sources.medium": (f"{folder}/medium-train.jsonl", self.scale.medium),
            "sources.medium_text": (f"{folder}/medium_text-train.jsonl", self.scale.medium),
            "short": (f"{folder}/short-train.jsonl", chats * self.scale.short),
            "sources.own": (f"{folder}/own-train.jsonl", chats * self.scale.own),
        }
        return tuple(
            f"--data.{name}={{path: {path}, count: {round(share * count)}, repeat: true}}"
            for name, (path, count) in counts.items()
        )

    def _trained(
        self,
        runs: dict[str, tuple[str, ...]],
        start: Path,
        tasks: tuple[str, ...] = TASKS,
        probe: tuple[str, ...] = (),
    ) -> Iterator[Step]:
        """Runs by name and options, all from the same model; then their exports and tests."""
        for name, options in runs.items():
            run = self.out / "runs" / name
            where = (f"--model.model={start}", f"--trainer.default_root_dir={run}", "--ckpt_path=auto")
            length = f"--data.max_length={self.scale.length}"
            fit = ("fit", f"--config={os.path.relpath(CONFIG)}", length, *where, *options, *self.scale.fit)
            yield Step(f"fit-{name}", fit, self.model(name), alone=True)  # until its export exists it resumes
        for name in runs:
            yield self._exported(name)
        for name in runs:
            yield self._held_out(name, self.model(name))
        for name in runs:
            yield from self._needles(name, self.model(name), tasks=tasks, probe=probe)

    def _exported(self, name: str) -> Step:
        target = self.model(name)
        return Step(f"export-{name}", ("export", f"--checkpoint={self.out}/runs/{name}", f"--target={target}"), target)

    def _needles(
        self, name: str, model: Path, *more: str, tasks: tuple[str, ...] = TASKS, probe: tuple[str, ...] = ()
    ) -> Iterator[Step]:
        for task in tasks:
            folder = self.out / "needle" / name / task
            grid = probe or (self.scale.grid if task == "single" else self.scale.probe)
            options = (f"--model={model}", f"--task={task}", f"--haystack={self.haystack}", *grid, *more)
            yield Step(f"needle-{name}-{task}", ("needle", f"--out={folder}", *options), folder / SUMMARY)

    def _held_out(self, model_name: str, model: Path) -> Step:
        run = self.out / "held_out" / model_name
        sources = {"long": "long", "sources.medium": "medium", "short": "short", "sources.own": "own"}
        rows = (
            f"--data.{source}={{path: {self.out}/data/{name}-validation.jsonl, validation: all}}"
            for source, name in sources.items()
        )
        where = (
            f"--model.model={model}",
            f"--data.max_length={self.scale.length}",
            f"--trainer.default_root_dir={run}",
        )
        cpu = tuple(option for option in self.scale.fit if "max_steps" not in option)
        return Step(f"held_out-{model_name}", ("validate", *where, *rows, *cpu), run / "validation.json", alone=True)


ACTS: dict[str, Callable[[Recipe], Iterator[Step]]] = {
    act.__name__: act
    for act in (Recipe.data, Recipe.before, Recipe.extend, Recipe.align, Recipe.compare, Recipe.shares, Recipe.further)
}
