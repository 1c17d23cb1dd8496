"""What this machine's GPU can do: its rate of matrix multiplication, and the longest document that it has room for."""

import math
import time
from dataclasses import replace

import torch

from longalign.commands.benchmark_gpu.cases import MODELS
from longalign.model.flops import model_shape
from longalign.model.hardware import free_host_bytes
from longalign.model.memory import EIGHT_BIT_STATE, GIB, StepMemory, layer_sizes
from longalign.model.memory_choice import Host, NoRoom, choose_checkpointing


def gemm_tflops() -> float:
    """TFLOP/s of a bf16 matrix multiplication of 8192³ on this GPU: the best of short bursts, which do not heat it."""
    a, b = torch.randn(2, 8192, 8192, device="cuda", dtype=torch.bfloat16)
    best = 0.0
    for _ in range(10):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(20):
            a @ b
        torch.cuda.synchronize()
        best = max(best, 2 * 8192**3 * 20 / (time.perf_counter() - start) / 1e12)
        time.sleep(0.2)
    del a, b
    torch.cuda.empty_cache()  # the fits, which are other processes, need this memory
    return best


def longest_that_fits(model: str) -> int:
    """Tokens of the longest document that fits on this GPU by the memory model, a multiple of 32k."""
    shape = model_shape(MODELS[model])
    free = torch.cuda.mem_get_info(0)[0] - GIB  # 1 GiB for what the process of the fit takes by itself
    step = StepMemory(layer_sizes(MODELS[model], shape), 32768, state_bytes=EIGHT_BIT_STATE)
    while True:
        longer = replace(step, tokens=step.tokens + 32768)
        try:
            choose_checkpointing(longer, free, host=Host(free_host_bytes() or math.inf))
        except NoRoom:
            return step.tokens
        step = longer
