"""A run that is killed and goes on is bit-equal to one that is not, however it was killed."""

import os
import random
import resource
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
import torch
from lightning.pytorch.callbacks import Timer

from longalign.__main__ import main
from longalign.training.checkpoints import newest_checkpoint, remove
from longalign.training.module import LongAlignModule
from tests.training.conftest import final_weights, finish, run_here, scalars, start, wait_for

STEPS = ["--data.max_length=128", "--data.packs_per_step=2", "--data.epochs=2", "--model.optimizer.lr=1e-3"]
SAVING = ["--checkpoint.every_n_steps=2", "--checkpoint.keep=3"]


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Arguments of a run, and the weights and losses of one that nobody disturbed."""
    from tests.training.conftest import TINY

    def build(root: Path, *more: str) -> list[str]:
        options = {
            "model.model": TINY,
            "data.long": data["long"],
            "data.short": data["short"],
            "data.cache_dir": data["cache"],
            "data.chat_format": "llama2",
            "trainer.accelerator": "cpu",
            "trainer.devices": "1",
            "trainer.default_root_dir": str(root),
        }
        return ["fit", *(f"--{key}={value}" for key, value in options.items()), *STEPS, *SAVING, *more]

    root = tmp_path_factory.mktemp("whole")
    run_here(build(root))
    return build, final_weights(root), scalars(root, "train/loss")


def assert_bit_equal(ours, reference) -> None:
    assert ours.keys() == reference.keys()
    for name, tensor in reference.items():
        assert torch.equal(ours[name], tensor), name


def test_a_killed_loader_process_is_one_line(whole, tmp_path):
    build, *_ = whole
    process = start(build(tmp_path, "--data.num_workers=1", "--data.epochs=100"))
    wait_for(tmp_path / "checkpoints/step000002.ckpt", process)
    (worker,) = (child for child in psutil.Process(process.pid).children() if "longalign" in child.cmdline())
    worker.kill()
    said = finish(process, 2)
    assert "error: data.num_workers: got 1, one of which was killed" in said and "Traceback" not in said


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_run_goes_on_bit_equal(whole, tmp_path, how, caplog):
    build, weights, losses = whole
    process = start(build(tmp_path))
    wait_for(tmp_path / "checkpoints/step000004.ckpt", process)
    time.sleep(random.Random(how).random() * 0.3)
    process.send_signal(how)
    finish(process, 75 if how == signal.SIGTERM else -signal.SIGKILL)
    newest = newest_checkpoint(tmp_path / "checkpoints")
    assert newest is not None and not (tmp_path / f"checkpoints/step{max(losses):06d}.ckpt").exists()
    with caplog.at_level("INFO"):
        run_here(build(tmp_path, "--ckpt_path=auto"))
    assert f"checkpoint: {newest}" in caplog.text
    assert_bit_equal(final_weights(tmp_path), weights)
    assert scalars(tmp_path, "train/loss") == losses


def test_a_run_that_is_ended_in_the_middle_of_a_step_keeps_the_steps_before_and_goes_on(whole, tmp_path, monkeypatch):
    build, weights, losses = whole

    def end_in_step_four(self, trainer, *_):
        trainer.should_stop = trainer.global_step == 3 and trainer.fit_loop._should_accumulate()

    with monkeypatch.context() as patch:
        patch.setattr(Timer, "on_train_batch_end", end_in_step_four)
        run_here(build(tmp_path, "--trainer.max_time=01:00:00:00"))
    assert newest_checkpoint(tmp_path / "checkpoints") == tmp_path / "checkpoints/step000003.ckpt"
    run_here(build(tmp_path, "--ckpt_path=auto"))
    assert_bit_equal(final_weights(tmp_path), weights)
    assert scalars(tmp_path, "train/loss") == losses


OPTIONS = ["gather_once=false", "reshard_after_forward=false", "save_distributed_checkpoint=false"]


@pytest.mark.parametrize("option", OPTIONS)
def test_checkpoints_can_be_written_and_read_whatever_stays_gathered_or_in_one_file(whole, tmp_path, option):
    build, *_ = whole
    held_out = ("--data.validation=4", "--trainer.val_check_interval=1", f"--trainer.strategy.{option}")
    run_here(build(tmp_path, *held_out))
    weights, last = final_weights(tmp_path), newest_checkpoint(tmp_path / "checkpoints")
    remove(last)
    run_here(build(tmp_path, *held_out, "--ckpt_path=auto"))
    assert newest_checkpoint(tmp_path / "checkpoints") == last
    assert_bit_equal(final_weights(tmp_path), weights)


HELD_OUT = ["--data.validation=4", "--trainer.val_check_interval=2"]


@pytest.mark.parametrize("step", [3, 4])
def test_a_validation_that_was_due_when_a_run_was_stopped_is_made_up_for(whole, tmp_path, monkeypatch, step):
    build, *_ = whole
    run_here(build(tmp_path / "undisturbed", *HELD_OUT, "--trainer.max_steps=6"))
    train = LongAlignModule.training_step

    def stopped(self, pack, batch_idx):
        if self.trainer.global_step == step - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return train(self, pack, batch_idx)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(LongAlignModule, "training_step", stopped)
        main(build(tmp_path / "stopped", *HELD_OUT, "--trainer.max_steps=6"))
    run_here(build(tmp_path / "stopped", *HELD_OUT, "--trainer.max_steps=6", "--ckpt_path=auto"))
    assert scalars(tmp_path / "stopped", "val/loss") == scalars(tmp_path / "undisturbed", "val/loss")


AT_ENDS = ["--data.validation=4", "--trainer.callbacks+=longalign.training.callbacks.ValidateAtEnds"]


@pytest.mark.parametrize("held_out", [HELD_OUT, AT_ENDS])
@pytest.mark.parametrize("limit", [["--trainer.max_steps=6"], []])
def test_a_run_that_is_killed_in_its_last_validation_makes_up_for_it(whole, tmp_path, monkeypatch, held_out, limit):
    build, *_ = whole
    arguments = build(
        tmp_path, *held_out, "--checkpoint.keep=0", "--checkpoint.every_n_steps=6", "--data.num_workers=0", *limit
    )
    run_here(arguments)
    undisturbed = scalars(tmp_path, "val/loss")
    *earlier, last = sorted((tmp_path / "checkpoints").glob("*.ckpt"))
    shutil.rmtree(tmp_path / "tensorboard")
    if earlier:
        remove(last)

    def stopped(self):
        if f"step{self.trainer.global_step:06d}.ckpt" == last.name:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LongAlignModule, "on_validation_start", stopped)
        assert main([*arguments, "--ckpt_path=auto"]) == 130
    assert last.exists()
    run_here([*arguments, "--ckpt_path=auto"])
    assert scalars(tmp_path, "val/loss")[max(undisturbed)] == undisturbed[max(undisturbed)]


def test_a_run_that_is_ended_by_a_validation_is_saved(whole, tmp_path, monkeypatch):
    build, *_ = whole
    stopping = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val/loss"]
    stopping += ["--trainer.callbacks.mode=max", "--trainer.callbacks.patience=1", "--checkpoint.every_n_steps=200"]
    run_here(build(tmp_path, *HELD_OUT, *stopping))  # the loss falls
    last = tmp_path / "checkpoints/step000004.ckpt"
    assert newest_checkpoint(tmp_path / "checkpoints") == last
    validations = []
    monkeypatch.setattr(LongAlignModule, "on_validation_start", lambda self: validations.append(1))
    run_here(build(tmp_path, *HELD_OUT, *stopping, "--trainer.max_steps=5", "--ckpt_path=auto"))
    assert newest_checkpoint(tmp_path / "checkpoints") == tmp_path / "checkpoints/step000005.ckpt" and not validations


def test_a_run_whose_time_is_over_says_so_when_it_is_started_again(whole, tmp_path, monkeypatch, caplog):
    build, _, _ = whole

    def over(self, trainer, *_):
        trainer.should_stop = trainer.global_step == 3

    monkeypatch.setattr(Timer, "on_train_batch_end", over)
    run_here(build(tmp_path, "--trainer.max_time=01:00:00:00"))
    assert "no step done" not in caplog.text
    monkeypatch.setattr(Timer, "on_fit_start", over)
    run_here(build(tmp_path, "--trainer.max_time=01:00:00:00", "--ckpt_path=auto"))
    assert "no step done: trainer.max_time, which counts the run's earlier parts too" in caplog.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_stop_signal_before_the_first_step_ends_with_the_status_of_later_ones(
    number, whole, tmp_path, monkeypatch, caplog
):
    build, _, _ = whole
    monkeypatch.setattr(LongAlignModule, "configure_model", lambda self: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as end, caplog.at_level("INFO"):
        main(build(tmp_path))
    assert end.value.code == 75 and "not training, nothing to save, exiting with status 75" in caplog.text
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("moment", ["FileSystemWriter.write_data", "FileSystemReader.read_data"])
def test_ctrl_c_while_a_checkpoint_is_written_or_read_is_no_mistake(moment, whole, tmp_path, monkeypatch, capfd):
    def stopped(*_):
        raise KeyboardInterrupt

    build, _, _ = whole
    run_here(build(tmp_path, "--trainer.max_steps=4"))
    before = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    monkeypatch.setattr(f"torch.distributed.checkpoint.filesystem.{moment}", stopped)
    assert main(build(tmp_path, "--ckpt_path=auto")) == 130
    assert "error:" not in capfd.readouterr().err
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == before


def test_a_full_disk_while_saving_costs_one_line_and_no_checkpoint(whole, tmp_path, disk_of, capfd):
    build, _, _ = whole
    run_here(build(tmp_path, "--trainer.max_steps=4"))
    before = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    disk_of(200_000)
    assert main(build(tmp_path, "--ckpt_path=auto")) == 2
    output = capfd.readouterr().err
    assert "Traceback" not in output
    assert [line for line in output.splitlines() if "error:" in line and "could not be written" in line], output
    disk_of(resource.RLIM_INFINITY)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == before
    run_here(build(tmp_path, "--ckpt_path=auto", "--trainer.max_steps=5"))
    assert newest_checkpoint(tmp_path / "checkpoints") == tmp_path / "checkpoints/step000005.ckpt"


def test_two_ranks_stop_together_and_one_goes_on_with_the_same_steps(whole, tmp_path):
    build, weights, losses = whole
    process = start(build(tmp_path, "--trainer.devices=2"))
    wait_for(tmp_path / "checkpoints/step000004.ckpt", process)
    os.killpg(process.pid, signal.SIGTERM)  # as SLURM, torchrun and Kubernetes do
    finish(process, 75)
    run_here(build(tmp_path, "--ckpt_path=auto"))
    resumed = scalars(tmp_path, "train/loss")
    assert resumed.keys() == losses.keys()
    assert list(resumed.values()) == pytest.approx(list(losses.values()), abs=1e-6)
    for name, tensor in final_weights(tmp_path).items():
        torch.testing.assert_close(tensor, weights[name], atol=1e-4, rtol=0)


def test_other_data_or_steps_are_refused_on_resume_and_the_runs_files_stay(whole, tmp_path, capfd):
    build, _, _ = whole
    run_here(build(tmp_path, "--trainer.max_steps=2"))
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in files} > {"config.yaml", "data.json", "environment.json"}
    changes = {"--data.seed=1": "the data or its plan", "--data.packs_per_step=4": "packs_per_step"}
    for change, word in (changes | {"--data.strategy=naive": "the data or its plan"}).items():
        assert main(build(tmp_path, "--ckpt_path=auto", change)) == 2
        assert word in capfd.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_fewer_epochs_than_are_done_are_refused_on_resume(whole, tmp_path, capfd):
    build, _, losses = whole
    run_here(build(tmp_path))
    assert main(build(tmp_path, "--ckpt_path=auto", "--data.epochs=1")) == 2
    done, half = max(losses), max(losses) // 2
    assert f"data.epochs: got 1, which is {half} steps; the checkpoint is of step {done}" in capfd.readouterr().err


def test_fewer_steps_than_are_done_are_refused_on_resume(whole, tmp_path, capfd):
    build, *_ = whole
    run_here(build(tmp_path, "--trainer.max_steps=3"))
    assert main(build(tmp_path, "--ckpt_path=auto", "--trainer.max_steps=2")) == 2
    said = capfd.readouterr().err
    assert "trainer.max_steps: got 2, which is 2 steps; the checkpoint is of step 3" in said


def test_a_run_that_is_done_goes_on_when_it_is_given_more_epochs(whole, tmp_path):
    build, _, losses = whole
    run_here(build(tmp_path, "--data.epochs=1"))
    run_here(build(tmp_path, "--ckpt_path=auto"))
    assert scalars(tmp_path, "train/loss").keys() == losses.keys()


def test_a_run_that_goes_on_has_the_rates_of_its_new_length_and_base_at_once(whole, tmp_path):
    build, *_ = whole
    run_here(build(tmp_path / "whole"))
    run_here(build(tmp_path / "longer", "--data.epochs=1"))
    run_here(build(tmp_path / "longer", "--ckpt_path=auto", "--model.optimizer.lr=5e-4"))
    undisturbed, longer = (list(scalars(tmp_path / name, "lr").values()) for name in ("whole", "longer"))
    half = len(undisturbed) // 2
    assert longer[half:] == pytest.approx([rate / 2 for rate in undisturbed[half:]])


def test_skipped_steps_are_counted_on(whole, tmp_path, monkeypatch):
    build, *_ = whole
    step = LongAlignModule.training_step

    def bad_step(self, pack, batch_idx):
        out = step(self, pack, batch_idx)
        return {**out, "loss": out["loss"] * (float("nan") if self.trainer.global_step == 1 else 1.0)}

    monkeypatch.setattr(LongAlignModule, "training_step", bad_step)
    run_here(build(tmp_path, "--trainer.max_steps=2"))
    run_here(build(tmp_path, "--trainer.max_steps=3", "--ckpt_path=auto"))
    assert list(scalars(tmp_path, "train/skipped_steps").values()) == [0, 1, 1]


def test_shards_are_not_for_other_strategies(whole, tmp_path, capfd):
    build, *_ = whole
    run_here(build(tmp_path, "--trainer.max_steps=1"))
    assert main(build(tmp_path, "--trainer.strategy=auto", "--ckpt_path=auto")) == 2
    assert "step000001.ckpt is in shards: leave out trainer.strategy" in capfd.readouterr().err


def test_a_run_that_is_done_stays_done(whole, tmp_path, monkeypatch):
    build, _, _ = whole
    run_here(build(tmp_path, "--trainer.max_steps=3"))
    before = final_weights(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    run_here(build(tmp_path, "--trainer.max_steps=3", "--ckpt_path=~/checkpoints/step000003.ckpt"))
    assert_bit_equal(final_weights(tmp_path), before)
    run_here(build(tmp_path, "--trainer.max_steps=3", "--ckpt_path=auto"))
    assert_bit_equal(final_weights(tmp_path), before)
