"""OpenAI-compatible servers prompt our folders as they were trained: ``transformers serve`` and the openai client."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import torch
from openai import OpenAI
from transformers import AutoModelForCausalLM

from longalign.__main__ import main
from longalign.chat import encode_prompt, load_tokenizer

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

TINY = Path(__file__).parent.parent / "golden/chatglm3_tiny"
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 你好? </s> sop"},
    {"role": "assistant", "content": "hello"},
    {"role": "user", "content": "and [gMASK]?"},
]


@pytest.fixture(scope="module")
def server():
    """Its base URL."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "transformers"), "serve", "--port", str(port), "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ)
    try:
        wait_for(f"http://localhost:{port}/health", process)
        yield f"http://localhost:{port}/v1"
    finally:
        process.kill()
        process.wait()


def wait_for(url, process):
    for _ in range(600):
        assert process.poll() is None, process.stdout.read().decode()
        try:
            return urllib.request.urlopen(url, timeout=1)
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(url)


@pytest.mark.parametrize("chat_format", ["template", "chatglm3"])
def test_a_server_asks_and_answers_as_the_model_was_trained(server, chat_format, tmp_path):
    folder = tmp_path / "glm"
    options = ["--rope_ratio=200", f"--chat_format={chat_format}"]
    assert main(["convert", f"--source={TINY}", f"--target={folder}", *options]) == 0
    prompt = encode_prompt(CONVERSATION, load_tokenizer(TINY), chat_format)
    model = AutoModelForCausalLM.from_pretrained(folder)
    answer = model.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)[0, len(prompt) :]
    expected = load_tokenizer(folder).decode(answer, skip_special_tokens=True)

    client = OpenAI(base_url=server, api_key="none", timeout=60, max_retries=0)
    ask = {"model": str(folder), "messages": CONVERSATION, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(**ask)
    assert whole.usage.prompt_tokens == len(prompt)
    assert whole.choices[0].message.content == expected
    pieces = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**ask, stream=True)]
    assert "".join(pieces).rstrip("�") == expected.rstrip("�")  # a last letter that is not whole yet
