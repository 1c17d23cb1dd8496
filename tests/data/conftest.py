"""Fixtures of the data tests."""

import json

import pytest
from byte_tokenizer import byte_tokenizer


@pytest.fixture(scope="session")
def tokenizer():
    return byte_tokenizer()


@pytest.fixture
def write_rows(tmp_path):
    """write_rows(name, rows) -> path of a JSON lines file."""

    def write(name: str, rows: list) -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    return write
