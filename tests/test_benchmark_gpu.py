"""bin/benchmark-gpu without a GPU: its packs are full, and it says what is missing."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from longalign.chat import encode_conversation, load_tokenizer
from longalign.data.sources import read_conversations

SCRIPT = Path(__file__).parent.parent / "bin/benchmark-gpu"


@pytest.mark.parametrize(("kind", "sequences"), [("document", 1), ("mix", 5)])
def test_conversations_fill_packs_to_the_last_tokens(kind, sequences, tmp_path):
    script = runpy.run_path(str(SCRIPT))
    script["make_model"](tmp_path, script["MODELS"]["chatglm3_6b"])
    script["make_data"](tmp_path / "data.jsonl", kind, 2)
    tokenizer = load_tokenizer(tmp_path)
    lengths = [
        len(encode_conversation(messages, tokenizer, "llama2")[0])
        for _, messages in read_conversations(str(tmp_path / "data.jsonl"))
    ]
    assert len(lengths) == 2 * sequences and lengths[:sequences] == lengths[sequences:]
    assert sum(lengths[:sequences]) == script["MAX_LENGTH"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    run = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (2, "benchmark-gpu: error: no CUDA GPU here\n")
