"""The tokenised rows of one source on disk, which are mapped into memory and not copied.

A folder has Arrow stream files with the columns `input_ids` (list of int32), `targets` (list of uint8), `num_targets`
(int32) and `opens` (uint8: 1 if a row is the first of its conversation or text). `meta.json` lists the files in order
under `files`. This takes 5 bytes a token and 13 a row; there is no padding.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

NO_TARGET, OWN_TOKEN, EOS = 0, 1, 2  # codes of the column `targets`
IGNORE_INDEX = -100

SCHEMA = pa.schema(
    {  # type: ignore[arg-type]
        "input_ids": pa.list_(pa.int32()),
        "targets": pa.list_(pa.uint8()),
        "num_targets": pa.int32(),
        "opens": pa.uint8(),
    }
)


def encode_targets(input_ids: np.ndarray, labels: np.ndarray, eos_id: int) -> np.ndarray:
    """Encode unshifted labels as uint8 [len]: NO_TARGET, OWN_TOKEN (the label is the input token), or EOS.

    EOS is the label behind an answer that is followed by another round: the input token there belongs to that round,
    but the model should end its answer. Invariant: any other label is the input token.
    """
    codes = np.where(labels == IGNORE_INDEX, NO_TARGET, np.where(labels == input_ids, OWN_TOKEN, EOS)).astype(np.uint8)
    assert np.all(labels[codes == EOS] == eos_id), "a label is neither its token nor EOS"
    return codes


def decode_targets(input_ids: np.ndarray, targets: np.ndarray, eos_id: int) -> np.ndarray:
    """The inverse of `encode_targets`: int64 [len] labels as in Hugging Face (unshifted, -100: no target)."""
    at_targets = np.flatnonzero(targets)  # fast, as few tokens of a long conversation are targets
    labels = np.full(len(input_ids), IGNORE_INDEX, np.int64)
    labels[at_targets] = np.where(targets[at_targets] == OWN_TOKEN, input_ids[at_targets], eos_id)
    return labels


class TokenizedSource:
    """`source[i] -> (input_ids int32 [len], targets uint8 [len])`, views of the mapped file without a copy.

    `decode_targets` makes labels of them.

    Attributes:
        lengths: int64 [n], tokens of each row.
        num_targets: int64 [n], targets of each row, that is the number of `labels[1:] != -100`.
        documents: int64 [n], number of the conversation or text that each row is from; a text may have many rows.
        eos_id: the token that the target code `EOS` stands for.
        report: counts of rows read, dropped, cut and repaired.
    """

    def __init__(self, folder: str | Path, name: str = "source"):
        self.folder, self.name = Path(folder), name
        meta: dict[str, Any] = json.loads((self.folder / "meta.json").read_text())
        self.eos_id: int = meta["eos_id"]
        self.report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        self._chunks: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        lengths: list[np.ndarray] = [np.zeros(0, np.int64)]
        num_targets: list[np.ndarray] = [np.zeros(0, np.int64)]
        opens: list[np.ndarray] = [np.zeros(0, np.int64)]
        for file in meta["files"]:
            with pa.memory_map(str(self.folder / file)) as mapped, pa.ipc.open_stream(mapped) as stream:
                for batch in stream:
                    ids, targets, counts, first = batch.columns
                    offsets = ids.offsets.to_numpy()
                    self._chunks.append((offsets, ids.values.to_numpy(), targets.values.to_numpy()))
                    lengths.append(np.diff(offsets))
                    num_targets.append(counts.to_numpy())
                    opens.append(first.to_numpy())
        self.lengths = np.concatenate(lengths, dtype=np.int64)
        self.num_targets = np.concatenate(num_targets, dtype=np.int64)
        self.documents = np.cumsum(np.concatenate(opens, dtype=np.int64)) - 1  # [1, 0, 1] -> [0, 0, 1]
        # 3 chunks of 2, 3, 2 rows -> [0, 2, 5, 7]
        self._starts = np.cumsum([0, *(len(offsets) - 1 for offsets, _, _ in self._chunks)])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        chunk = int(np.searchsorted(self._starts, index, side="right")) - 1
        offsets, ids, targets = self._chunks[chunk]
        start, stop = offsets[index - self._starts[chunk] :][:2]
        return ids[start:stop], targets[start:stop]

    def __reduce__(self):  # pickled by its folder: the other process maps the files itself
        return type(self), (self.folder, self.name)
