"""A short hash of a model folder, by which results record the weights that they were made with."""

import hashlib
from pathlib import Path

_MODEL_FILES = {".safetensors", ".bin", ".gguf", ".json", ".model", ".jinja"}
_SAMPLE = 1 << 16  # bytes at each end of a file of weights


def fingerprint(folder: str | Path) -> str | None:
    """Hash the model files of a folder, to 20 hexadecimal digits; None if it is no folder, such as a hub name.

    Of each file, its name, its size, and its first and last 64 KiB are hashed, so that large weights take no time.
    """
    if not Path(folder).is_dir():
        return None
    hash_ = hashlib.sha256()
    for file in sorted(path for path in Path(folder).iterdir() if path.suffix in _MODEL_FILES and path.is_file()):
        size = file.stat().st_size
        hash_.update(f"{file.name} {size}\n".encode())
        with open(file, "rb") as stream:
            hash_.update(stream.read(_SAMPLE))
            stream.seek(max(size - _SAMPLE, 0))
            hash_.update(stream.read(_SAMPLE))
    return hash_.hexdigest()[:20]
