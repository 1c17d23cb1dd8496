"""A small data set, and the arguments with which commands read it."""

from pathlib import Path

import pytest

from longalign.__main__ import main
from tests.training.conftest import TINY, conversation, write_rows


def two_rounds(number: int) -> dict:
    first, second = conversation(number, 5, 4)["messages"], conversation(number + 1, 3, 2)["messages"]
    return {"messages": [*first, *second]}


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, str]:
    """10 long conversations; 40 short ones, two of them of two rounds, and one more without an answer."""
    folder = tmp_path_factory.mktemp("data")
    unanswered = {"messages": [{"role": "user", "content": "hello?"}]}
    long = [conversation(i, 60 + 12 * i, 6) for i in range(10)]
    short = [conversation(100 + i, 2 + i % 9, 1 + i % 7) for i in range(38)] + [two_rounds(200), two_rounds(300)]
    return {
        "long": write_rows(folder / "long.jsonl", long),
        "short": write_rows(folder / "short.jsonl", [*short, unanswered]),
        "cache": str(folder / "cache"),
    }


@pytest.fixture
def options(files) -> list[str]:
    """Options of the configuration that the tests start from, without the model."""
    given = {
        "data.long": files["long"],
        "data.short": files["short"],
        "data.cache_dir": files["cache"],
        "data.chat_format": "llama2",
        "data.max_length": 1024,
        "data.num_workers": 0,
        "data.num_proc": 1,
        "data.packs_per_step": 4,
    }
    return [f"--{key}={value}" for key, value in given.items()]


@pytest.fixture
def longalign(options, capsys):
    """Run a command on the data set with the tiny model; (stdout, stderr)."""

    def call(command: str, *more: str, status: int = 0, model: str | Path | None = TINY) -> tuple[str, str]:
        named = [f"--model.model={model}"] if model else []
        capsys.readouterr()
        got = main([*command.split(), *named, *options, *more])
        out, err = capsys.readouterr()
        assert got == status, err
        return out, err

    return call
