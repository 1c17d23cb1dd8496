"""Turning jsonargparse's errors into one line that names the wrong key and the nearest right one."""

import difflib
import inspect
import pydoc
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jsonargparse
import yaml

from longalign.errors import UserError

UNKNOWN_KEY = re.compile(
    r"(?:accept option|accept nested option|nrecognized arguments:|Key|key|Option) ['\"]?-*([\w.]+)"
)
SOURCE = re.compile(r'Parser key "(data\.(?:long|short|text|sources))": Does not validate.*Given value: (.*)$')
_TYPE = r"<class '\w+'>|typing\.Literal\[[^\]]*\]"
WRONG_TYPE = re.compile(rf'Parser key "([\w.]+)": Expected a ({_TYPE})\. Got value: (.*?)(?: Given value type: .*)?$')
NO_TYPE_OF_SEVERAL = re.compile(
    rf'Parser key "([\w.]+)": .*?Does not validate .* Errors:((?: - Expected (?:a )?(?:{_TYPE}))+)'
    r"(?: - (?:Not a valid subclass|Expected a dot import path) .*)? Given value type: .* Given value: (.*)$"
)
NO_CLASS_OF_SEVERAL = re.compile(r'Parser key "([\w.]+)": .*Does not validate against any of .* Given value: (.*)$')
MISSING = re.compile(r"the following arguments are required: (?:fit\.|validate\.)?([\w., ]+)$")
NO_CLASS = re.compile(
    r'Parser key "([\w.]+)": .*?(?:expects a function or a callable class:|Problem with given class_path|'
    r"Expected a dot import path string:) (.*?)(?: - Expected a .*| - Problem with .*|\. Got value: .*)?$"
)
OF_A_CLASS = re.compile(
    r'Parser key "([\w.]+)": .*?(?:expects a function or a callable class:|Problem with given class_path \'[\w.]+\':) '
    r"((?:Parser key|Option) .*?)(?: - Problem with .*|\. Got value: Namespace.*)?$"
)
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping such as {KEY: VALUE}",
    "NoneType": "null",
}
_NESTED = r"NestedArg\(key='([^']*)', val=(.*?)\)"
OPTION_OF_SOURCE = re.compile(rf"{_NESTED}$")
OPTION_OF_NO_CLASS = re.compile(rf'Parser key "([\w.]+)": .*{_NESTED}')


@contextmanager
def explained(keys: Callable[[], Sequence[str]], args: Sequence[str]) -> Iterator[None]:
    """In the block, turn errors of a parser of ``args`` into a UserError of one line. keys: gives all known keys.

    Raises:
        UserError: also before the block, for a config file that has a key twice.
    """
    try:
        _refuse_repeated_keys(args)
        yield
    except jsonargparse.ArgumentError as error:
        raise UserError(explain_parser_error(str(error), keys(), args)) from error
    except UnicodeDecodeError as error:
        raise UserError(f"config: not UTF-8 text: {error}") from error


def explain_parser_error(message: str, keys: Sequence[str], args: Sequence[str]) -> str:
    """Make one line of a message of jsonargparse.

    For an unknown key it names the nearest of ``keys``, and for YAML that cannot be read, the file.

    args: the command's arguments, to find the config files.
    """
    message = " ".join(message.split())
    if "parsing config" in message and (file := _broken_yaml(args)):
        where = message.replace(' in "<unicode string>"', "").removeprefix("Problems parsing config: ")
        return f"{file} is not YAML: {where}"
    if message.startswith("Unexpected config"):
        file = next((file for file in _config_files(args) if not isinstance(_load(file), dict)), "the config")
        return f"{file} holds no options; expected YAML of the form KEY: VALUE"
    if source := SOURCE.search(message):
        return _explain_source(message, *source.groups())
    if of_class := OF_A_CLASS.match(message):
        return _explain_option_of_class(message, *of_class.groups())
    if nested := OPTION_OF_NO_CLASS.match(message):
        return _explain_option_of_no_class(message, nested[1], nested[2])
    if wrong := WRONG_TYPE.search(message) or NO_TYPE_OF_SEVERAL.search(message):
        key, types, value = wrong.groups()
        return f"{key}: got {value}, expected {_in_words(types)}"
    if missing := MISSING.match(message):
        return f"missing: {', '.join(f'--{key}' for key in missing[1].split(', '))}"
    found = [match[1] for match in UNKNOWN_KEY.finditer(message)]
    if not found or not re.search("accept|nrecognized|not expected", message):
        no_class = NO_CLASS.search(message)
        if no_class and no_class[2].isidentifier():
            return f"{no_class[1]}: got {no_class[2]}, expected a class with its module, such as torch.optim.AdamW"
        return f"{no_class[1]}: cannot be used: {no_class[2]}" if no_class else _explain_misfit(message)
    unknown = found[-1]  # of nested keys the innermost comes last
    if unknown in keys:
        return _explain_misfit(message)
    return f"unknown key {unknown!r}" + (_did_you_mean(unknown, keys) or f": {message}; see --help")


def explain_trainer_error(message: str) -> str:
    """Make one line of what Lightning says of the trainer's options; a GPU that is not there is the usual one."""
    message = " ".join(message.split())
    if message == "No supported gpu backend found!":
        return (
            "trainer.accelerator: got gpu, but torch finds no GPU here; --trainer.accelerator cpu --trainer.devices 1"
        )
    if "your machine only has" in message:
        return f"trainer.devices: {message}; give --trainer.devices"
    if ours := re.search(r" - (\w+\.\w+: got .*?)(?: - |$)", message):  # of the constructor of one of our callbacks
        return ours[1]
    if no_class := re.search(r"Problem with given class_path ('[\w.]+': .*?)(?: - Expected a .*)?$", message):
        return f"trainer: {no_class[1]}"
    return f"trainer: {message}"


def _in_words(types: str) -> str:
    """The types that a message lists: ``typing.Literal['a', 'b'] … <class 'bool'>`` -> "a, b or true or false"."""
    words = []
    for kind in re.findall(_TYPE, types):
        names = re.findall(r"'([^']*)'", kind)
        words.append(TYPES.get(names[0], names[0]) if kind.startswith("<class") else ", ".join(names))
    return " or ".join(dict.fromkeys(words))


def _explain_option_of_class(message: str, key: str, wrong: str) -> str:
    """Explain an option that a class, such as the optimizer or a callback, does not have or does not take so."""
    if value := WRONG_TYPE.match(wrong) or NO_TYPE_OF_SEVERAL.match(wrong):
        return f"{key}.{value[1]}: got {value[3]}, expected {_in_words(value[2])}"
    unknown = re.match(r"Option '([^']+)' is not accepted", wrong)
    name = re.search(r"class_path[= ]'([\w.]+)'", message)
    if unknown is None or name is None:
        return f"{key}: {wrong}"
    options = inspect.signature(pydoc.locate(name[1])).parameters  # type: ignore[arg-type]
    return f"{key}: {name[1].rpartition('.')[2]} has no option {unknown[1]!r}{_did_you_mean(unknown[1], options)}"


def _explain_option_of_no_class(message: str, key: str, option: str) -> str:
    """Explain ``--key.option value`` where ``key`` is no class with options, or one that is not named yet."""
    if "instantiatable class" in message:
        return f"{key}.{option}: {key} names no class that could have this option; give --{key} CLASS before it"
    return f"{key}.{option}: {key} has no options of its own; expected --{key} with {_in_words(message)}"


def _explain_misfit(message: str) -> str:
    """Explain a value that is of none of a key's types, of which some are classes; another message as it is."""
    if none := NO_CLASS_OF_SEVERAL.search(message):
        return f"{none[1]}: got {none[2]}, which fits nothing that is expected there; see --help"
    return message


def _did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]!r}?" if near else ""


def _explain_source(message: str, key: str, value: str) -> str:
    """Explain an error about a data source, for which the message lists what is wrong by each type that it may have."""
    from longalign.data.mixture import Source, not_a_source

    if nested := OPTION_OF_SOURCE.match(value):
        key, value = f"{key}.{nested[1]}", nested[2]
    unknown = re.search(r"Option '([^']+)' is not accepted", message)
    if in_bucket := re.search(r"^(.*\.buckets\.[^.]+)\.(\w+)$", key):
        bucket, field = in_bucket.groups()
        return f"{key}: got {value}, which does not fit; a new bucket is given as a whole: --{bucket} '{{{field}: …}}'"
    if unknown is None and "arguments are required: path" in message:
        return "data.sources: one has no path" if key == "data.sources" else f"{key}: has no path; give --{key} PATH"
    if unknown is None:
        return not_a_source(key, value)
    near = _did_you_mean(unknown[1], (one.name for one in fields(Source)), cutoff=0.5)
    return f"{key}: unknown key {unknown[1]!r}" + (near or (f" in {value}" if nested is None else ""))


def _broken_yaml(args: Sequence[str]) -> str | None:
    """The first ``--config`` file that is no valid YAML, None if all are."""
    for file in _config_files(args):
        try:
            _load(file)
        except yaml.YAMLError:
            return file
    return None


def _refuse_repeated_keys(args: Sequence[str]) -> None:
    for file in _config_files(args):
        with suppress(yaml.YAMLError):  # of which the parser will tell
            if key := _repeated_key(yaml.compose(Path(file).read_text(encoding="utf-8"), yaml.SafeLoader)):
                line = key.start_mark.line + 1
                raise UserError(f"{file} has the key {key.value!r} again at line {line}: the earlier one would be lost")


def _repeated_key(node: yaml.Node | None) -> yaml.Node | None:
    """The first key of a YAML document that stands in its mapping for the second time."""
    if isinstance(node, yaml.SequenceNode):
        return next(filter(None, map(_repeated_key, node.value)), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    seen = set()
    for key, value in node.value:
        if str(key.value) in seen:
            return key
        seen.add(str(key.value))
        if again := _repeated_key(value):
            return again
    return None


def _config_files(args: Sequence[str]) -> Iterator[str]:
    for flag, value in zip_longest(args, args[1:], fillvalue=""):
        file = flag.partition("=")[2] if flag.startswith("--config=") else value if flag in ("--config", "-c") else None
        if file and Path(file).is_file():
            yield file


def _load(file: str) -> Any:
    return yaml.safe_load(Path(file).read_text())
