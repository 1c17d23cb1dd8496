"""The memory model against what was measured, and what it makes of a GPU."""

from dataclasses import replace

import pytest
import torch
from transformers import DbrxConfig, GlmConfig, LlamaConfig, SolarOpenConfig

from longalign.errors import UserError
from longalign.model.flops import model_shape
from longalign.model.hardware import beside_other_programs, free_host_bytes, host_link_bytes_per_s
from longalign.model.memory import (
    EIGHT_BIT_STATE,
    GIB,
    StepMemory,
    layer_sizes,
    optimizer_state_bytes,
    optimizer_update_bytes,
)
from longalign.model.memory_choice import UNKNOWN_HOST, Host, NoRoom, choose_checkpointing, slowness
from longalign.training.memory_plan import MemorySettings


def llama(layers):
    config = LlamaConfig(intermediate_size=11008, num_hidden_layers=layers)
    return layer_sizes(config, model_shape(config))


def glm(layers):
    config = GlmConfig(vocab_size=65024, num_hidden_layers=layers, num_key_value_heads=2, pad_token_id=None)
    return layer_sizes(config, model_shape(config))


MEASURED = [  # on an H200 with packs of 65,536 tokens: torch.cuda.max_memory_allocated, GiB
    (StepMemory(llama(4), 65536, state_bytes=0, checkpointing="none"), 39.3),
    (StepMemory(llama(4), 65536, state_bytes=0, checkpointing="attention"), 18.7),
    (StepMemory(llama(4), 65536, state_bytes=0, checkpointing="full"), 18.2),
    (StepMemory(glm(4), 65536, state_bytes=0, checkpointing="attention"), 22.6),
    # longalign fit, Llama-2-7B
    (StepMemory(llama(32), 65536, state_bytes=EIGHT_BIT_STATE, kept_layers=7), 122.5),
    (StepMemory(llama(32), 65536, state_bytes=EIGHT_BIT_STATE, checkpointing="matmuls", kept_layers=13), 124.5),
    (StepMemory(llama(32), 65536, 1, 1, EIGHT_BIT_STATE, checkpointing="matmuls", kept_layers=22, offload=True), 127.5),
    (StepMemory(llama(32), 393216, state_bytes=0, checkpointing="full", offload=True), 111.5),  # before states exist
    (StepMemory(llama(32), 65536, ranks=2, kept_layers=7), 122.6),
    (StepMemory(glm(28), 65536, state_bytes=EIGHT_BIT_STATE, kept_layers=8), 125.8),
    (StepMemory(glm(28), 65536, 1, 1, EIGHT_BIT_STATE, checkpointing="matmuls", kept_layers=22, offload=True), 131.4),
]


@pytest.mark.parametrize(("step", "measured"), MEASURED)
def test_predictions_are_within_a_tenth_of_what_was_measured(step, measured):
    assert step.estimate().gib()["peak"] == pytest.approx(measured, rel=0.1)


def llama3(layers, vocab_size=128256):
    config = LlamaConfig(
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=layers,
        num_key_value_heads=8,
        vocab_size=vocab_size,
    )
    return layer_sizes(config, model_shape(config))


COUNTED = [  # two steps under FSDP2 and AdamW on fake tensors, half of the tokens targets: most bytes alive, GiB
    (StepMemory(llama3(4), 2048, ranks=8), 8.96),  # reducing the embeddings' gradients
    (StepMemory(llama3(8), 2048, update_bytes=4), 52.07),  # AdamW's update
    (StepMemory(llama3(4, 256000), 4096, ranks=8, checkpointing="none"), 18.26),  # the lm_head's gradient
    (StepMemory(llama3(4), 8192, ranks=8, update_bytes=4), 9.81),  # a layer
]


@pytest.mark.parametrize(("step", "counted"), COUNTED)
def test_short_packs_are_fullest_elsewhere(step, counted):
    assert replace(step, fused=False).estimate().gib()["peak"] == pytest.approx(counted, rel=0.1)


def test_sizes_are_those_of_the_model():
    sizes = llama(32)
    assert sizes.total_parameters == 6_738_415_616
    assert (sizes.hidden, sizes.query, sizes.key_value, sizes.intermediate) == (4096, 4096, 4096, 11008)
    assert glm(28).key_value == 256
    config = LlamaConfig(num_hidden_layers=2, tie_word_embeddings=True)
    assert layer_sizes(config, model_shape(config)).total_parameters == model_shape(config).total


def test_a_model_of_experts_alone_is_as_wide_as_those_of_a_token():
    config = SolarOpenConfig(num_hidden_layers=1, n_routed_experts=8, moe_intermediate_size=96, num_experts_per_tok=3)
    assert layer_sizes(config, model_shape(config)).intermediate == 3 * 96


def test_a_config_without_the_width_of_its_layers_is_refused_by_name():
    with pytest.raises(UserError, match=r"model.model: dbrx is not supported: its config has no intermediate_size"):
        layer_sizes(DbrxConfig(), model_shape(LlamaConfig()))


def test_a_gpu_is_filled_but_never_over():
    step = StepMemory(llama(32), 65536, ranks=8)
    kept = [choose_checkpointing(step, int(gib * GIB)).kept_layers for gib in (60, 79, 95, 140, 400)]
    assert kept == sorted(kept) and kept[0] < kept[-1] == 32
    for gib in (60, 79, 95, 140):
        assert choose_checkpointing(step, int(gib * GIB)).estimate().peak < gib * GIB


def test_kept_matrix_products_take_two_thirds_of_whole_layers_and_leave_little_to_compute_again():
    step = StepMemory(llama(32), 65536, kept_layers=32)
    nothing, everything = (replace(step, kept_layers=kept).estimate().activations for kept in (0, 32))
    products = replace(step, checkpointing="matmuls")
    assert 0.5 < (products.estimate().activations - nothing) / (everything - nothing) < 0.7
    assert products.computed_again == pytest.approx(2 * 4096**2 / step.sizes.parameters)  # queries and keys
    assert replace(products, kept_layers=0).computed_again == 1.0 > replace(step, kept_layers=31).computed_again
    assert replace(products, offload=True).offloaded == 32 * 65536 * ((4096 + 4096) * 2 + 32 * 4)


def test_without_checkpointing_all_layers_are_kept_and_nothing_is_added():
    step = StepMemory(llama(4), 4096, checkpointing="none")
    assert "checkpointing: none, 4 of 4 layers kept whole;" in str(step)
    assert slowness(step) == 0 < slowness(replace(step, checkpointing="attention", kept_layers=3))


def test_offloaded_states_leave_room_for_activations_and_are_there_when_the_optimizer_steps():
    step = StepMemory(llama(32), 65536, ranks=2, checkpointing="matmuls", kept_layers=20, offload=True)
    away = replace(step, states_offloaded=True)
    layers, root = (8 * parameters / 2 for parameters in (32 * step.sizes.parameters, step.sizes.root_parameters))
    assert away.offloaded - step.offloaded == layers
    assert step.estimate().optimizer == layers + root
    one = layers / 32
    assert root < away.estimate().optimizer <= root + 2 * one  # in the backward of the last layer, the fullest moment
    more = choose_checkpointing(step, 86 * GIB, offload="all").kept_layers
    assert more == choose_checkpointing(step, 86 * GIB, offload="activations").kept_layers + 6
    short = replace(away, tokens=512)  # then the fullest moment is the update
    assert short.estimate().optimizer == layers + root


def test_weights_are_gathered_once_a_step_where_nothing_more_is_computed_again_for_it():
    settings = MemorySettings("auto", 0, "auto", None)
    small, large = (StepMemory(llama(n), 16384, ranks=2, micro_steps=4, gathered_once=True) for n in (4, 32))
    once = settings.fit_into(small, 139 * GIB)
    assert once.gathered_once and once.layers_kept_whole == 4
    assert not settings.fit_into(large, 80 * GIB).gathered_once
    less, more = replace(once, gathered_once=False).estimate(), once.estimate()
    layers, total = 4 * small.sizes.parameters, small.sizes.total_parameters
    assert more.gathered - less.gathered == 2 * (layers - 2 * small.sizes.parameters)
    assert more.gradients - less.gradients == 4 * total // 2  # whole ones instead of one rank's shards


def test_more_ranks_need_less_and_micro_steps_more():
    step = StepMemory(llama(32), 65536)
    assert replace(step, ranks=8).estimate().peak < replace(step, ranks=2).estimate().peak < step.estimate().peak
    assert replace(step, micro_steps=4).estimate().gradients > step.estimate().gradients
    kept = replace(step, resharded=False).estimate().gathered
    assert kept == pytest.approx(2 * step.sizes.total_parameters, rel=0.02)


def test_what_cannot_fit_says_what_is_too_much_and_what_would_help():
    step = StepMemory(llama(32), 65536)
    said = r"65,536 tokens needs \d+ GiB a GPU, there are 70 \(optimizer states are too much\): use 2 GPUs"
    with pytest.raises(NoRoom, match=said + r" and --data\.packs_per_step 2$"):
        choose_checkpointing(step, int(74 * GIB))
    with pytest.raises(NoRoom, match=said + "$"):
        choose_checkpointing(replace(step, micro_steps=8), int(74 * GIB))
    with pytest.raises(NoRoom, match=r"\(activations are too much\): use 8-bit .*AdamW8bit"):
        choose_checkpointing(step, int(114 * GIB))
    with pytest.raises(NoRoom, match=r"use more GPUs and --data\.max_length"):
        choose_checkpointing(replace(step, ranks=8), int(16 * GIB))
    with pytest.raises(NoRoom, match=r"use --model\.checkpointing auto and --model\.offload auto"):
        choose_checkpointing(replace(step, ranks=8), int(70 * GIB), "none")


def test_what_is_fastest_comes_first_and_modes_that_are_asked_for_are_kept():
    step = StepMemory(llama(32), 65536, micro_steps=8)  # 7B with AdamW in fp32 on one GPU
    assert choose_checkpointing(step, int(180 * GIB)).offload is False
    found = choose_checkpointing(step, int(121 * GIB), offload="activations")
    assert (found.checkpointing, found.kept_layers, found.offload) == ("attention", 1, True)
    few = choose_checkpointing(step, int(121 * GIB))
    assert (few.checkpointing, few.offload, few.states_offloaded) == ("matmuls", False, True)
    least = choose_checkpointing(step, int(121 * GIB), host=Host(30 * GIB))  # half as much as activations take there
    assert (least.checkpointing, least.states_offloaded) == ("full", False)
    alone = choose_checkpointing(replace(step, micro_steps=1), int(139.8 * GIB), "auto", "none")
    assert alone.offloaded == 0 < alone.kept_layers
    full = choose_checkpointing(replace(step, kept_layers=2), int(200 * GIB), "full")
    assert (full.checkpointing, full.kept_layers, full.offload) == ("full", 2, False)
    assert choose_checkpointing(step, int(400 * GIB), "none").checkpointing == "none"


def test_room_goes_to_matrix_products_and_more_is_made_where_the_hosts_link_is_fast():
    step = StepMemory(llama(32), 65536, ranks=8)
    slow, fast = (
        choose_checkpointing(step, int(79 * GIB), host=Host(bytes_per_flop=link / 989e12)) for link in (15e9, 50e9)
    )
    assert (slow.checkpointing, slow.offload, fast.checkpointing, fast.offload) == ("matmuls", False, "matmuls", True)
    assert slow.kept_layers < fast.kept_layers
    whole = choose_checkpointing(step, int(400 * GIB), host=Host(bytes_per_flop=1.0))
    assert (whole.checkpointing, whole.kept_layers, whole.offload) == ("attention", 32, False)  # nothing to be gained


def test_what_is_offloaded_fits_into_the_hosts_memory():
    step = StepMemory(llama(32), 65536, micro_steps=8)
    found = choose_checkpointing(step, int(139.8 * GIB), host=Host(58 * GIB))
    assert found.offload and not found.states_offloaded and found.checkpointing == "matmuls"
    assert found.offloaded == 32 * 65536 * ((4096 + 4096) * 2 + 32 * 4) <= 0.8 * 58 * GIB
    assert choose_checkpointing(step, int(142 * GIB), host=Host(8 * GIB)).offloaded == 0  # layers again instead
    with pytest.raises(NoRoom, match=r"needs 127 GiB a GPU, there are 108 \(activations are too much\): use 8-bit"):
        choose_checkpointing(step, int(113 * GIB), host=Host(8 * GIB))
    said = r"needs 16 GiB a GPU of the host's memory, there are 6 \(offloaded tensors are too much\): use 8-bit"
    with pytest.raises(NoRoom, match=said):
        choose_checkpointing(step, int(132 * GIB), offload="activations", host=Host(8 * GIB))


def test_states_are_offloaded_where_the_room_is_worth_more_than_their_copies():
    def found(gib=139.3, link=50e9, **more):
        step = StepMemory(llama(32), 65536, **more)
        return choose_checkpointing(step, int(gib * GIB), host=Host(bytes_per_flop=link / 989e12))

    eight_bit = found(state_bytes=EIGHT_BIT_STATE)
    assert eight_bit.offload and eight_bit.states_offloaded and eight_bit.kept_layers == 26
    fp32 = found()  # four times the bytes
    assert fp32.offload and not fp32.states_offloaded
    assert not found(link=10e9).states_offloaded
    assert not found(state_bytes=0).states_offloaded
    assert not found(state_bytes=EIGHT_BIT_STATE, fill=0.1).states_offloaded  # most packs are too short to hide copies
    assert found(66, 1e9, ranks=2).states_offloaded  # nothing else fits
    alone, of_eight = (found(ranks=8, micro_steps=steps, link=10e9) for steps in (1, 8))
    assert not alone.states_offloaded and of_eight.states_offloaded  # they are copied once a step
    short = StepMemory(llama(8), 4096, state_bytes=EIGHT_BIT_STATE)
    assert choose_checkpointing(short, int(139.3 * GIB), host=Host(bytes_per_flop=50e9 / 989e12)).offloaded == 0


def test_the_hosts_memory_is_the_machines_or_the_containers(tmp_path):
    def write(name, text):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert free_host_bytes(tmp_path) is None
    write("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    4000 kB\n")
    write("sys/fs/cgroup/memory.max", "max\n")
    write("sys/fs/cgroup/memory.current", "1000\n")
    assert free_host_bytes(tmp_path) == 4_096_000
    write("sys/fs/cgroup/memory.max", "3000\n")
    write("sys/fs/cgroup/memory.stat", "anon 5\ninactive_file 700\n")
    assert free_host_bytes(tmp_path) == 2700
    assert 1 << 20 < free_host_bytes() < 1 << 50


def test_an_error_says_when_other_programs_hold_the_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 30 * GIB)
    assert beside_other_programs(torch.device("cuda")) == ", beside other programs with 48 of the GPU's 80 GiB"
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 76 * GIB)
    assert beside_other_programs(torch.device("cuda")) == beside_other_programs(torch.device("cpu")) == ""


@pytest.mark.parametrize("others", ["", ", beside other programs with 133 of the GPU's 140 GiB"])
def test_a_run_without_room_says_who_else_is_on_the_gpu(others):
    settings = MemorySettings("auto", 0, "auto", None)
    end = "; this run is beside other programs with 133 of" if others else "$"
    with pytest.raises(UserError, match=r"there are 3 \(weights are too much\): use .* 1024" + end):
        settings.plan(StepMemory(llama(8), 8192), 5 * GIB, UNKNOWN_HOST, others)


def test_a_mode_that_does_not_fit_is_tried_with_what_the_host_has_room_for():
    def tried(offload, host_gib):
        settings = MemorySettings("attention", 3, offload, None)
        found = settings.plan(StepMemory(llama(32), 65536, ranks=2), 60 * GIB, Host(host_gib * GIB))
        assert (found.checkpointing, found.kept_layers) == ("attention", 3)
        return found.offload, found.states_offloaded

    assert tried("auto", 200) == (True, True) and tried("auto", 8) == (False, False)
    assert tried("activations", 8) == (True, False) and tried("none", 200) == (False, False)


def test_a_run_out_of_memory_is_not_told_to_leave_to_auto_what_auto_has_chosen():
    settings = MemorySettings("auto", 0, "auto", None)
    step = StepMemory(llama(32), 65536, micro_steps=8)
    least = settings.fit_into(step, 142 * GIB, Host(8 * GIB))
    assert least.checkpointing == "full" and not least.offloaded
    assert "expected: use 8-bit optimizer states" in settings.explain_out_of_memory(least, 140)
    more = replace(least, checkpointing="attention")
    assert "expected: keep fewer activations: --model.gpu_memory_gib 126" in settings.explain_out_of_memory(more, 140)
    asked = MemorySettings("full", 0, "none", None)
    assert "use --model.checkpointing auto and --model.offload auto" in asked.explain_out_of_memory(least, 140)


@pytest.mark.gpu
def test_the_link_to_the_host_is_measured():
    assert 1e9 < host_link_bytes_per_s(torch.device("cuda")) < 1e12


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_memory_that_can_be_pinned_the_link_counts_as_unknown():
    assert host_link_bytes_per_s(torch.device("cuda")) == 0.0


def test_optimizer_state_is_measured_or_known_by_name():
    assert optimizer_state_bytes(torch.optim.AdamW) == 8
    assert optimizer_state_bytes(lambda p: torch.optim.SGD(p, lr=1.0)) == 0
    assert optimizer_state_bytes(lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9)) == 4

    class AdamW8bit(torch.optim.SGD):
        pass

    assert optimizer_state_bytes(lambda p: AdamW8bit(p, lr=1.0)) == pytest.approx(2, rel=0.1)


def test_adamw_copies_a_state_unless_it_is_fused():
    assert optimizer_update_bytes(torch.optim.AdamW) == 4
    assert optimizer_update_bytes(lambda p: torch.optim.AdamW(p, fused=True)) == 0
    assert optimizer_update_bytes(lambda p: torch.optim.SGD(p, lr=1.0)) == 0
    short = StepMemory(llama(32), 2048, update_bytes=4)
    assert short.estimate().first_over(130 * GIB) is None
    with pytest.raises(NoRoom, match=r"use AdamW's fused kernel"):
        choose_checkpointing(short, int(130 * GIB))
