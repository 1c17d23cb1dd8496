"""Commands of LongBench-Chat, a server that answers and rates, and two models' answers."""

import logging
import os

import pytest

from longalign.__main__ import main
from longalign.testing import FakeOpenAIServer
from tests.conftest import KEY
from tests.evaluation.longbench import SHORT, model_or_judge


@pytest.fixture(scope="module")
def server():
    with FakeOpenAIServer(model_or_judge) as fake:
        yield fake


@pytest.fixture
def longbench(capsys, caplog):
    """Run a command; (stdout, stderr with the log)."""

    def call(what: str, *arguments: object, status: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        caplog.clear()
        with caplog.at_level(logging.INFO):
            try:
                got = main(["longbench-chat", what, *map(str, arguments)])
            except SystemExit as end:
                got = end.code
        out, err = capsys.readouterr()
        assert got == status, err
        return out, err + "\n".join(caplog.messages)

    return call


@pytest.fixture
def at(server):
    return f"--base_url={server.base_url}"


@pytest.fixture(scope="module")
def runs(server, tmp_path_factory):
    """Answers of two models."""
    folder = tmp_path_factory.mktemp("runs")
    os.environ.setdefault("OPENAI_API_KEY", KEY)
    for name in ("weak", "strong"):
        arguments = [f"--api_model={name}", f"--base_url={server.base_url}", f"--out={folder / name}", *SHORT]
        assert main(["longbench-chat", "predict", *arguments]) == 0
    return folder
