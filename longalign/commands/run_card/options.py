"""A run's config: its differences from the defaults, and its whole text. The values of secret keys are hidden."""

import re
from dataclasses import asdict
from typing import Any

import yaml

from longalign.commands.run_card.folder import as_dict

SECRET = re.compile(r"(?:^|_)(?:api_?key|key|token|secret|password|passwd|credentials?)$", re.IGNORECASE)
HIDDEN = "(hidden)"
DERIVED = {"data.tokenizer": "model.model", "model.cache_dir": "data.cache_dir"}
"""Keys whose value a fit takes from another key by default."""


def differences(config: dict[str, Any], defaults: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(key, value, default) of each option that differs from its default; the default is "" if there is none."""
    ours, usual = flatten(without_secrets(config)), flatten(defaults)
    rows = []
    for key, value in ours.items():
        same = key in usual and usual[key] == value
        derived = key in DERIVED and ours.get(DERIVED[key]) == value
        absent = value is None and key not in usual  # an unset key of a section that is empty by default
        if not (same or derived or absent):
            rows.append((key, as_text(value), as_text(usual[key]) if key in usual else ""))
    return rows


def flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping with dotted keys. Lists, empty mappings and a source's buckets stay values."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        is_section = isinstance(value, dict) and value and key != "buckets"
        flat |= flatten(value, f"{name}.") if is_section else {name: value}
    return flat


def without_secrets(value: Any) -> Any:
    """The same value, in which texts of keys such as api_key or token are replaced, at any depth."""
    if isinstance(value, dict):
        return {
            key: HIDDEN if SECRET.search(str(key)) and isinstance(inner, str) else without_secrets(inner)
            for key, inner in value.items()
        }
    return [without_secrets(inner) for inner in value] if isinstance(value, list) else value


def as_text(value: Any) -> str:
    """A value as one line of YAML, without the keys inside of it that are null."""
    if value == "":
        return ""
    text = yaml.safe_dump(
        _without_nulls(value), default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False
    )
    return text.strip().removesuffix("...").strip()


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def whole_text(config: dict[str, Any]) -> str:
    """The whole config as YAML, without secrets."""
    return yaml.safe_dump(without_secrets(config), allow_unicode=True, sort_keys=False)


def default_options(config: dict[str, Any]) -> dict[str, Any]:
    """The defaults of ``longalign fit`` in the form of config.yaml, with defaults for each data source of `config`."""
    from longalign.commands.cli import SOURCES
    from longalign.commands.config import default_config
    from longalign.data.mixture import Source

    defaults, data = default_config(), as_dict(config.get("data"))
    source = {key: value for key, value in asdict(Source(path="")).items() if key != "path"}
    named = {name: source for name in as_dict(data.get("sources"))}
    sources = {**dict.fromkeys(SOURCES, source), **({"sources": named} if named else {})}
    return {**defaults, "data": {**defaults["data"], **sources}}
