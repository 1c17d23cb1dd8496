"""Every YAML parses, and keeps the paper's settings."""

from pathlib import Path

import pytest
import yaml

from longalign.commands.cli import LongAlignCLI
from longalign.commands.config import read_config
from longalign.commands.options import OwnOptions
from longalign.training import module
from tests.training.conftest import TINY

CONFIGS = sorted((Path(__file__).parent.parent.parent / "configs").glob("*.yaml"))


class ParseOnly(LongAlignCLI):
    """Stops after parsing and the defaults that depend on it."""

    def instantiate_classes(self) -> None:
        pass

    def _run_subcommand(self, subcommand: str) -> None:
        pass


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_parses_and_opens_with_a_comment(path):
    source = "text" if path.stem.startswith("extend") else "long"
    config = ParseOnly(["fit", "--config", str(path), "--model.model", "m", f"--data.{source}", "l.jsonl"]).config.fit
    assert config.data[source].path == "l.jsonl" and config.data.tokenizer == "m"
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("path", [p for p in CONFIGS if p.stem.startswith(("llama2", "chatglm"))], ids=lambda p: p.stem)
def test_has_the_papers_settings(path):
    config = yaml.safe_load(path.read_text())
    assert config["model"]["optimizer"]["init_args"]["lr"] == 2e-5
    assert (config["data"]["epochs"], config["data"]["max_length"]) == (2, 65536)
    unpacked = config["data"]["strategy"] in ("naive", "sorted")
    assert config["data"]["packs_per_step"] == (96 if unpacked else 8)


def test_mixes_are_one_line_each():
    for count in (0, 5000, 10000):
        arguments = ["fit", "--model.model=m", f"--data.long={{path: l.jsonl, count: {count}}}", "--data.short=s.jsonl"]
        assert ParseOnly(arguments).config.fit.data.long.count == count


@pytest.mark.parametrize("first", ["--data.long=l.jsonl", "--data.long l.jsonl", "--config CONFIG"])
def test_a_path_and_a_count_go_together(tmp_path, first):
    path = tmp_path / "c.yaml"
    path.write_text("data: {long: l.jsonl, short: s.jsonl}\n")
    arguments = first.replace("CONFIG", str(path)).split()
    config = ParseOnly(["fit", "--model.model=m", *arguments, "--data.long.count=5"]).config.fit
    assert (config.data.long.path, config.data.long.count) == ("l.jsonl", 5)
    config = ParseOnly(["fit", "--model.model=m", "--config", str(path), "--data.short", "t.jsonl"]).config.fit
    assert (config.data.long.path, config.data.short.path) == ("l.jsonl", "t.jsonl")


def test_a_source_can_be_changed_key_by_key(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("data: {long: {path: l.jsonl, count: 7}, sources: {code: {path: c.jsonl, share_of_tokens: 0.1}}}\n")
    data = ParseOnly(["fit", "--config", str(path), "--model.model=m", "--data.long.count=5"]).config.fit.data
    assert (data.long.path, data.long.count, data.sources["code"].share_of_tokens) == ("l.jsonl", 5, 0.1)


def test_the_tokenizer_of_a_gguf_file_is_found_below_a_home_folder_that_no_shell_has_written_out(monkeypatch):
    monkeypatch.setenv("HOME", str(Path(TINY).parent))
    load_config = module.load_config
    monkeypatch.setattr(module, "load_config", lambda path, overrides, gguf_file: load_config(path, overrides))
    options = [f"--model.model=~/{Path(TINY).name}", "--model.gguf_file=tiny.gguf", "--data.long=long.jsonl"]
    assert read_config(options, OwnOptions("plan", "")).data.gguf_file == "tiny.gguf"
