"""Workers of a loader end with the process that started them, whenever it ends, and without a word."""

import subprocess
import sys

import psutil
import pytest

from longalign.data.processes import is_lost_worker

KILLED_AT_ONCE = """
import os, signal, time
from longalign.data.loader import SteadyLoader

loader = SteadyLoader(range(9), batch_size=None, num_workers=1, multiprocessing_context="fork")
begin = loader.worker_init_fn

def late(worker):
    time.sleep(2)
    begin(worker)

loader.worker_init_fn = late
running = iter(loader)
print(running._workers[0].pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked")
def test_a_worker_ends_whose_parent_was_killed_before_it_had_begun():
    with subprocess.Popen([sys.executable, "-c", KILLED_AT_ONCE], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        worker = int(killed.stdout.readline())
    try:
        psutil.Process(worker).wait(timeout=60)
    except psutil.NoSuchProcess:
        pass
    except psutil.TimeoutExpired:
        psutil.Process(worker).kill()
        pytest.fail("the worker lives on")


HUNG_UP = """
from multiprocessing import current_process, resource_sharer
from multiprocessing.connection import Client
from longalign.data.loader import SteadyLoader

SteadyLoader(range(9)).worker_init_fn(0)
resource_sharer.DupFd(0)  # as a worker does for each tensor that it hands over
sharer = resource_sharer._resource_sharer
key = current_process().authkey
Client(sharer._address, authkey=key).close()
with Client(sharer._address, authkey=key) as again:
    again.send(None)
sharer._thread.join(30)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked")
def test_a_worker_does_not_tell_that_its_parent_was_killed_while_it_took_a_tensor():
    worker = subprocess.run([sys.executable, "-c", HUNG_UP], capture_output=True, text=True, check=True)
    assert worker.stderr == ""


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), True),
        (ConnectionResetError(104, "Connection reset by peer"), True),  # while a tensor was handed over
        (ConnectionRefusedError(111, "Connection refused"), True),
        (BrokenPipeError(32, "Broken pipe"), False),  # of whoever reads the output
        (RuntimeError("shape '[2]' is invalid"), False),
    ],
)
def test_a_killed_worker_is_known_by_the_error_of_any_moment(error, lost):
    assert is_lost_worker(error) == lost
