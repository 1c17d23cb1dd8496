"""``bin/torchrun-fit``: torchrun that passes stop signals on to the ranks, and ends with their exit status.

torchrun itself kills the ranks 30 seconds after a stop signal, even in the middle of a long step, and ends with status
1 and a traceback, whatever the status of the ranks.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import torch
from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from longalign.launch import PARENT, how_it_ended

OWN_WORDS = (2, 75)  # statuses after a mistake and after a stop signal, which the first rank has explained already
USAGE = "bin/torchrun-fit [torchrun's options --] options of longalign fit"


def main(argv: Sequence[str] | None = None) -> int:
    """Start the ranks of this node and wait for them; returns the status of the first that failed, 0 if none did."""
    args = parse(sys.argv[1:] if argv is None else argv)
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # it would log tracebacks of its own
    os.environ[PARENT] = str(os.getpid())
    os.environ.setdefault("OMP_NUM_THREADS", str(threads_a_rank(int(args.nproc_per_node))))
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _pass_on)
    try:
        torchrun.run(args)
    except ChildFailedError as error:
        return _status(error)
    except SignalException as error:
        return 128 + error.sigval
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse torchrun's own options and those of ``fit``; by default there is one rank for each GPU of this machine."""
    own, fit = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else ([], argv)
    parser = torchrun.get_args_parser()
    parser.usage, parser.error = USAGE, _fail  # type: ignore[method-assign, assignment]
    args = parser.parse_args([*own, "--module", "longalign", "fit", *fit])
    if not fit:
        _fail("no options of fit: give at least --config FILE")
    if args.nproc_per_node in ("auto", "gpu") or not any(word.startswith("--nproc") for word in own):
        args.nproc_per_node = str(max(1, torch.cuda.device_count()))
    if not args.nproc_per_node.isdigit():
        _fail(f"--nproc-per-node: got {args.nproc_per_node}, expected a number or auto")
    args.standalone |= args.nnodes in ("1", "1:1") and not args.rdzv_endpoint and args.master_port is None
    args.signals_to_handle = "SIGINT,SIGHUP,SIGQUIT"  # not SIGTERM: it is handled by `_pass_on`
    return args


def threads_a_rank(ranks: int) -> int:
    """CPU threads for a rank: its share of the cores, at most 8, since a rank with a GPU computes little on the CPU."""
    return max(1, min(8, len(os.sched_getaffinity(0)) // ranks))


def _pass_on(number: int, frame: FrameType | None) -> None:
    """Send a signal to the ranks, which save and end by themselves; end at once if there are none yet."""
    ranks = _children(os.getpid())
    for rank in ranks:
        os.kill(rank, number)
    if not ranks:
        raise SystemExit(128 + number)


def _children(parent: int) -> list[int]:
    """The process ids of a process's children, without zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()  # state, parent, ...
        except OSError:  # the process has ended in between
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def _status(error: ChildFailedError) -> int:
    """The exit status of the rank that failed first, which is reported if the rank has not done so itself."""
    # torchrun ends the other ranks by SIGTERM, and its timestamps have no fractions of a second
    failures = error.failures.items()
    rank, failure = min(failures, key=lambda item: (item[1].exitcode == -signal.SIGTERM, item[1].timestamp))
    status = failure.exitcode
    if status not in OWN_WORDS:
        print(f"torchrun-fit: rank {rank} {how_it_ended(status)}; the others were ended", file=sys.stderr)
    return status if status >= 0 else 128 - status


def _fail(message: str) -> NoReturn:
    print(f"torchrun-fit: error: {message} (usage: {USAGE})", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    sys.exit(main())
