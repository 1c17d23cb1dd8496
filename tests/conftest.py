"""Fixtures for all tests; GPU tests are skipped where there is no GPU; nobody's real API key is used."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import resource
from collections.abc import Callable, Iterator

import pytest
import torch

from tests.ranks import TwoRanks, two_ranks


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU"))


@pytest.fixture(scope="session")
def ranks() -> Iterator[TwoRanks]:
    """Two ranks for whatever needs two."""
    with two_ranks() as both:
        yield both


@pytest.fixture
def disk_of() -> Iterator[Callable[[int], None]]:
    """Called with a number of bytes, lets no file grow beyond them until the test ends, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


KEY = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """An API key that is none; servers on 127.0.0.1 are asked without a proxy."""
    for name in ("OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY
