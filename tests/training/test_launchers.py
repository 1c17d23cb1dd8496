"""Two ranks started by torchrun and by srun train as two that ``fit`` starts itself, and all end together."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from jsonargparse import Namespace
from lightning.fabric.plugins.environments import LightningEnvironment

from longalign.commands.cli import follow_launcher
from longalign.commands.export import load_weights
from longalign.errors import UserError
from longalign.launch import Launch, this_launch
from longalign.training.ranks import RankLauncher, SrunEnvironment
from tests.training.conftest import ROOT, environment_of_a_user, finish, fit_arguments, scalars, start, wait_for
from tests.training.fake_slurm import make_commands

ENDLESS = [
    "--data.packs_per_step=2",
    "--data.max_length=256",
    "--data.epochs=100",
    "--checkpoint.every_n_steps=2",
    "--checkpoint.keep=0",
]
SBATCH = {  # what SLURM sets for a batch script
    "SLURM_JOB_ID": "4711",
    "SLURM_JOB_NAME": "longalign",
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NNODES": "1",
    "SLURM_NODELIST": "localhost",
    "SLURM_SUBMIT_DIR": str(ROOT),
    "SLURM_CPUS_PER_TASK": "1",
}


def launch(script: str, *words: str, **env: str) -> subprocess.Popen:
    return popen([str(ROOT / "bin" / script), *words], env)


def popen(command: list[str], env: dict[str, str]) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env={**environment_of_a_user(), **env}, cwd=ROOT, start_new_session=True, **pipes)


@pytest.fixture(scope="module")
def own(data, tmp_path_factory):
    """Output, losses and weights of two ranks that ``fit`` has started, until the second is killed."""
    root = tmp_path_factory.mktemp("own")
    process = start([*fit_arguments(data, root), *ENDLESS, "--trainer.devices=2", "--data.num_workers=1"])
    wait_for(root / "checkpoints/step000002.ckpt", process)
    second = next(child for child in children(process.pid) if b"\0LOCAL_RANK=1\0" in environment_of(child))
    os.kill(second, signal.SIGKILL)
    return finish(process, 1, 2), *first_steps(root)  # ended by the watch, or by its own error before that


def first_steps(root: Path) -> tuple[dict[int, float], dict[str, torch.Tensor]]:
    losses = scalars(root, "train/loss")
    return {step: losses[step] for step in (1, 2)}, load_weights(root / "checkpoints/step000002.ckpt")


def assert_first_steps(root: Path, own) -> None:
    _, losses, weights = own
    ours = first_steps(root)
    assert ours[0] == losses
    assert all(torch.equal(ours[1][name], weights[name]) for name in weights)


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def environment_of(process: int) -> bytes:
    return Path(f"/proc/{process}/environ").read_bytes()


def test_a_killed_rank_is_named_and_ends_the_others(own):
    assert "rank 1 of this node was ended by SIGKILL (out of memory?)" in own[0]
    assert own[0].count("rank 0 ends, as another one has gone") == 1 and "Traceback" not in own[0]


def test_a_killed_rank_is_named_though_the_first_dies_of_its_silence_at_once(monkeypatch, caplog):
    monkeypatch.delenv("LOCAL_RANK", raising=False)  # which a run in this process leaves behind
    launcher = RankLauncher(LightningEnvironment(), 2, 1)
    launcher.procs = [subprocess.Popen(["sleep", "60"])]
    monkeypatch.setattr(launcher, "_call_children_scripts", lambda: None)
    monkeypatch.setattr("longalign.training.ranks.KILLED_S", 0)
    monkeypatch.setattr(os, "_exit", lambda status: None)

    def lose_the_other():
        launcher.procs[0].kill()
        raise RuntimeError("connection reset by peer")

    with pytest.raises(RuntimeError, match="connection reset"):
        launcher.launch(lose_the_other)
    assert "rank 1 of this node was ended by SIGKILL" in caplog.text


def test_torchrun_trains_as_our_own_launcher_and_passes_a_stop_on(arguments, tmp_path, own):
    config = tmp_path / "config.yaml"
    config.write_text("trainer:\n  devices: 1\n")  # gives way to torchrun's two ranks
    given = [argument for argument in arguments(*ENDLESS) if not argument.startswith("--trainer.devices")]
    words = "--nproc-per-node", "2", "--", f"--config={config}", *given[1:]
    process = launch("torchrun-fit", *words)
    wait_for(tmp_path / "run/checkpoints/step000002.ckpt", process)
    process.send_signal(signal.SIGTERM)
    output = finish(process, 75)
    assert "trainer.devices: the config says 1; torchrun has started 2 ranks" in output
    assert output.count("training: step 0") == 1 and "SIGTERM: saved step" in output and "Traceback" not in output
    assert_first_steps(tmp_path / "run", own)


def test_slurm_trains_the_same_and_puts_the_job_back_into_the_queue(arguments, tmp_path, own):
    (tmp_path / "bin").mkdir()
    make_commands(tmp_path / "bin")
    words = arguments(*ENDLESS, "--trainer.devices=2")[1:]
    job = launch("slurm-fit", *words, **SBATCH, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    wait_for(tmp_path / "run/checkpoints/step000002.ckpt", job)
    job.send_signal(signal.SIGUSR1)  # as SLURM does before the time is over
    output = finish(job, 75)
    assert output.count("training: step 0") == 1 and "SIGUSR1: saved step" in output and "Traceback" not in output
    assert (tmp_path / "bin/scontrol.txt").read_text() == "requeue 4711\n"
    assert_first_steps(tmp_path / "run", own)


def test_slurm_without_what_longalign_needs_says_so_once_for_all_tasks(tmp_path):
    make_commands(tmp_path)
    bare = tmp_path / ".venv/bin/python"
    bare.parent.mkdir(parents=True)
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    here = {**SBATCH, "SLURM_SUBMIT_DIR": str(tmp_path)}
    job = launch("slurm-fit", "--config=x.yaml", **here, PATH=f"{tmp_path}:{os.environ['PATH']}")
    (line,) = finish(job, 2).splitlines()
    assert "slurm-fit: error: .venv/bin/python" in line and "bin/install" in line


STEP = {
    "SLURM_STEP_NUM_TASKS": "16",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_TASKS_PER_NODE": "8(x2)",
    "SLURM_PROCID": "11",
    "SLURM_LOCALID": "3",
    "SLURM_NODEID": "1",
}


def test_the_launch_is_read_from_the_environment():
    assert this_launch(STEP) == Launch("srun", 11, 3, 1, devices=8, num_nodes=2)
    assert this_launch({**STEP, "SLURM_STEP_TASKS_PER_NODE": "12,4"}).devices == 0
    elastic = {"TORCHELASTIC_RUN_ID": "x", "RANK": "3", "LOCAL_RANK": "1", "GROUP_RANK": "1"}
    sizes = {"LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "2"}
    assert this_launch({**STEP, **elastic, **sizes}) == Launch("torchrun", 3, 1, 1, devices=2, num_nodes=2)
    # an sbatch script without srun, and a shell under srun, start nothing by themselves
    for own in (SBATCH, {**SBATCH, **STEP, "SLURM_STEP_NUM_TASKS": "1"}):
        assert this_launch(own).by is None
    assert [this_launch({"LOCAL_RANK": rank}).is_first for rank in "01"] == [True, False]


def trainer(devices: object = "auto", num_nodes: int = 1) -> Namespace:
    return Namespace(devices=devices, num_nodes=num_nodes)


def test_devices_and_nodes_follow_the_launcher():
    launch = Launch("srun", 0, 0, 0, devices=8, num_nodes=2)
    for given in (trainer(), trainer(8, 2), trainer("8"), trainer(-1), trainer(4), trainer(8, 3)):
        follow_launcher(given, launch, [])
        assert (int(given.devices), given.num_nodes) == (8, 2)
    chosen = trainer([1, 3])
    follow_launcher(chosen, Launch("torchrun", 0, 0, 0, devices=2, num_nodes=1), [])
    assert chosen.devices == [1, 3]


@pytest.mark.parametrize(
    ("key", "asked", "launch", "words"),
    [
        ("devices", 2, Launch("torchrun", 0, 0, 0, 1, 1), "got 2, but torchrun has started 1 rank on this node"),
        ("num_nodes", 3, Launch("srun", 0, 0, 0, 8, 2), "got 3, but srun has started 2 nodes"),
        ("devices", 8, Launch("srun", 0, 0, 0, 0, 2), "unlike numbers of tasks: use --ntasks-per-node"),
        ("num_nodes", 2, Launch(None, 0, 0, 0), "nothing has started the other nodes: use bin/torchrun-fit"),
    ],
)
def test_what_contradicts_the_launcher_is_refused(monkeypatch, key, asked, launch, words):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UserError, match=re.escape(words)):
        follow_launcher(trainer(**{key: asked}), launch, [f"--trainer.{key}={asked}"])


def test_ranks_of_srun_meet_at_the_first_node(monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"SLURM_JOB_ID": "1234567", "SLURM_STEP_ID": "2", "SLURM_STEP_NODELIST": "gpu[07,12]"}.items():
        monkeypatch.setenv(name, value)
    environment = SrunEnvironment(this_launch(STEP))
    assert (environment.main_address, environment.main_port) == ("gpu07", 19569)
    assert (environment.world_size(), environment.global_rank(), environment.local_rank()) == (16, 11, 3)
    assert environment.creates_processes_externally


LOADER = """
import os, signal, subprocess, threading, time
from longalign.data.loader import SteadyLoader
# libraries, too, start threads in a worker before it can say anything about signals
os.register_at_fork(after_in_child=lambda: threading.Thread(target=time.sleep, args=(60,), daemon=True).start())
def loader():
    return iter(SteadyLoader(range(9), batch_size=None, num_workers=1))
batches = loader()
assert next(batches) == 0
signal.signal(signal.SIGTERM, lambda *_: None)
subprocess.run(["kill", "-TERM", "--", f"-{os.getpgid(0)}"], check=True, preexec_fn=os.setsid)  # not from the rank
assert list(batches)[:3] == [1, 2, 3]
batches = loader()
next(batches)
class Cycle: pass
kept = Cycle()
kept.self, kept.batches = kept, batches  # as a trainer whose teardown failed
"""


def test_loader_workers_outlive_a_stop_signal_but_not_their_rank():
    process = popen([sys.executable, "-c", LOADER], {})
    finish(process, 0)  # at exit Python terminates the workers that are left, and waits for them
