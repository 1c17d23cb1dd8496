"""The house rules that a machine can check: imports go one way, and Lightning stays in its rooms."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "longalign"
ORDER = ["api", "chat", "data", "model", "evaluation", "training", "commands"]
KNOW_LIGHTNING = {"training", "commands"}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_imports_go_one_way():
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        if room not in ORDER:
            continue
        later = {f"longalign.{name}" for name in ORDER[ORDER.index(room) + 1 :]}
        back = {name for name in imports(path) if any(f"{name}.".startswith(f"{room}.") for room in later)}
        assert not back, f"{path} imports {back}"


def test_training_knows_of_evaluation_only_to_probe():
    for path in PACKAGE.glob("training/**/*.py"):
        rooms = {name.split(".")[1] for name in imports(path) if name.startswith("longalign.")}
        assert "evaluation" not in rooms or path.name == "needle_probe.py", path


def test_only_training_the_datamodule_and_the_commands_know_lightning():
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        if room not in KNOW_LIGHTNING and path.name != "datamodule.py":
            assert not {name for name in imports(path) if name.split(".")[0] == "lightning"}, path


def test_chats_and_plans_need_no_torch():
    needle = PACKAGE / "evaluation/needle"
    for path in [
        *PACKAGE.glob("chat/*.py"),
        PACKAGE / "data/plan.py",
        PACKAGE / "data/packing.py",
        *needle.glob("*.py"),
    ]:
        assert "torch" not in {name.split(".")[0] for name in imports(path)}, path


def test_no_remote_code_and_no_unsafe_pickle():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            words = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            assert words.get("trust_remote_code") in (None, False), path
            if ast.unparse(node.func) == "torch.load":
                assert words.get("weights_only") is True, path
