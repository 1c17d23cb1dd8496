"""Two ranks that wait for work: their start takes longer than most of what tests ask of them."""

import contextlib
import io
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any
from unittest import mock

import torch
from torch import distributed

SECONDS = 200


class TwoRanks:
    """Two processes that call functions at the same time, as ranks 0 and 1 that meet by gloo."""

    def __init__(self) -> None:
        self.processes = [ProcessPoolExecutor(1, get_context("spawn")) for _ in range(2)]  # each stays what it is

    def call(self, function: Callable, *arguments: Any) -> list[Any]:
        """What ``function(rank, *arguments)`` returns in both."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ranks = enumerate(self.processes)
        calls = [process.submit(_as_rank, rank, port, function, *arguments) for rank, process in ranks]
        return [call.result(SECONDS) for call in calls]

    def longalign(self, arguments: list[str], status: int = 0) -> str:
        """``longalign ARGUMENTS`` by two ranks, as torchrun starts them, to end with a status; what the first says."""
        (one, said), (other, more) = self.call(_longalign, arguments)
        assert one == other == status, said + more
        return said


@contextlib.contextmanager
def two_ranks() -> Iterator[TwoRanks]:
    """They end with the block, also where they wait for each other in vain."""
    ranks = TwoRanks()
    try:
        yield ranks
    finally:
        for executor in ranks.processes:
            for process in (executor._processes or {}).values():
                process.kill()
            executor.shutdown(wait=False, cancel_futures=True)


def _as_rank(rank: int, port: int, function: Callable, *arguments: Any) -> Any:
    torch.set_num_threads(1)
    launch = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "LOCAL_WORLD_SIZE": 2, "GROUP_WORLD_SIZE": 1}
    meeting = {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "tests"}
    with mock.patch.dict(os.environ, {name: str(value) for name, value in (launch | meeting).items()}):
        try:
            return function(rank, *arguments)
        finally:
            if distributed.is_initialized():
                distributed.destroy_process_group()


def _longalign(rank: int, arguments: list[str]) -> tuple[int, str]:
    from longalign import __main__

    __main__.FIRST_RANK_S = 0  # the second says what it has met, too, and need not wait for the first to end
    with contextlib.redirect_stderr(io.StringIO()) as said:
        return __main__.main(arguments), said.getvalue()
