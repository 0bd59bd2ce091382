"""The config door: frozen dataclasses from and to plain mappings, every mistake named at once.

Components take dataclasses; only `cli` reads files and flags and hands mappings in here. An unknown
key is refused with the closest known one, a wrong type or value with the place it stands in.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_type_hints

from ss_core.errors import ConfigError

if typing.TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

BUDGET = re.compile(r"(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>s|min|h|updates|episodes)?")
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def to_dict(config: Any) -> dict[str, Any]:
    """A dataclass as a mapping of JSON values; tuples become lists, paths text."""
    return {field.name: _plain(getattr(config, field.name)) for field in _init_fields(config)}


def from_dict(cls: type[T], mapping: Mapping[str, Any], *, where: str) -> T:
    """Build the dataclass `cls` from a mapping; `where` names its origin (a file, a flag).

    Values are not coerced: `"3"` is no integer and `1` no boolean; an integer may stand for a
    float.

    Raises:
        ConfigError: unknown or missing keys, wrong types or values; one message lists them all.
    """
    from pydantic import ValidationError

    problems = list(_key_problems(cls, mapping, ()))
    try:
        config = _adapter(cls).validate_json(json.dumps(mapping, default=str), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        problems += [_describe(each["loc"], each["msg"], each["input"]) for each in details]
    else:
        if not problems:
            return cast(T, config)
    count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
    raise ConfigError("\n  ".join([f"{where}: {count} in the configuration", *problems]))


def replace_paths(config: T, assignments: Mapping[str, Any], *, where: str = "--set") -> T:
    """A copy of `config` with the values at dotted paths replaced, checked together.

    Raises:
        ConfigError: no such path, or a value that is not acceptable there.
    """
    mapping = to_dict(config)
    for path, value in assignments.items():
        *sections, key = path.split(".")
        target: Any = mapping
        for depth, section in enumerate(sections):
            if isinstance(target, dict) and target.get(section, 0) is None:
                target[section] = {}
            if not isinstance(target, dict) or section not in target:
                known = target if isinstance(target, dict) else {}
                place = ".".join(sections[: depth + 1])
                raise ConfigError(
                    f"{where} {path}: unknown section {place!r}{_hint(section, known)}"
                )
            target = target[section]
        if not isinstance(target, dict):
            raise ConfigError(f"{where} {path}: {'.'.join(sections)!r} is a value, not a section")
        target[key] = _plain(value)
    return from_dict(type(config), mapping, where=where)


def replace_path(config: T, path: str, value: Any, *, where: str = "--set") -> T:
    """A copy of `config` with one value replaced: `replace_path(config, "learner.rho", 0.5)`."""
    return replace_paths(config, {path: value}, where=where)


def parse_assignment(text: str) -> tuple[str, Any]:
    """`a.b=c` as path and value; `c` is read as TOML where it is TOML, else taken as text.

    Raises:
        ConfigError: there is no `=` in it.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise ConfigError(f"--set {text}: expected PATH=VALUE, as in learner.rho=0.5")
    if value.strip() == "none":
        return path.strip(), None
    try:
        return path.strip(), tomllib.loads(f"value = {value.strip()}\n")["value"]
    except tomllib.TOMLDecodeError:
        return path.strip(), value.strip()


def parse_budget(text: str) -> dict[str, float]:
    """How long to train: `90s`, `2min`, `300` or `300updates`, `4800episodes`.

    Returns:
        One entry, named `seconds`, `updates` or `episodes`.

    Raises:
        ConfigError: the text is none of these, or not positive.
    """
    match = BUDGET.fullmatch(text.strip())
    unit = (match["unit"] or "updates") if match else ""
    amount = float(match["amount"]) if match else 0.0
    if amount <= 0 or (unit not in SECONDS and not amount.is_integer()):
        raise ConfigError(f"budget {text!r}: give 90s, 2min, 300 (updates) or 4800episodes")
    if unit in SECONDS:
        return {"seconds": amount * SECONDS[unit]}
    return {unit: int(amount)}


def read_toml(path: Path, *, limit_bytes: int = 2**20) -> dict[str, Any]:
    """The mapping in a TOML file.

    Raises:
        ConfigError: not a readable TOML file, or larger than `limit_bytes`.
    """
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: no such file; check the path")
        if path.stat().st_size > limit_bytes:
            raise ConfigError(f"{path}: larger than {limit_bytes:,} bytes, so not a configuration")
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from error


def toml_bytes(mapping: Mapping[str, Any]) -> bytes:
    """A mapping as a TOML file; a value that is None is left out, as TOML has no word for it."""
    import tomli_w

    return tomli_w.dumps(_without_none(mapping)).encode()


def config_hash(mapping: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration; the order of its keys does not matter."""
    canonical = json.dumps(
        _plain(mapping), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def _adapter(cls: type) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def _init_fields(cls: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(cls) if field.init]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    return str(value)


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_without_none(entry) for entry in value]
    return value


def _key_problems(annotation: Any, value: Any, place: tuple[str | int, ...]) -> Iterator[str]:
    """Unknown keys and NaN, which the type check would let pass."""
    if isinstance(value, float) and math.isnan(value):
        yield _describe(place, "NaN is not a value", value)
    elif isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        if isinstance(value, Mapping):
            yield from _section_problems(annotation, value, place)
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in get_args(annotation):
            yield from _key_problems(part, value, place)
    elif isinstance(value, (list, tuple)):
        parts = [part for part in get_args(annotation) if part is not Ellipsis]
        for index, entry in enumerate(value):
            part = parts[min(index, len(parts) - 1)] if parts else Any
            yield from _key_problems(part, entry, (*place, index))


def _section_problems(
    cls: type, mapping: Mapping[str, Any], place: tuple[str | int, ...]
) -> Iterator[str]:
    known = _known(cls)
    for key, value in mapping.items():
        if key in known:
            yield from _key_problems(known[key], value, (*place, key))
        else:
            below = [".".join(map(str, (*place, path))) for path in _paths_to(key, known)]
            hint = f"; did you mean {' or '.join(map(repr, below))}?" if below else ""
            yield f"{_section(place)} {key}: unknown key{hint or _hint(key, known)}"


def _paths_to(key: str, known: Mapping[str, Any]) -> Iterator[str]:
    """Where in the sections below there is a field of that name."""
    for section, annotation in known.items():
        if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
            fields = _known(annotation)
            found = [key] if key in fields else []
            yield from (f"{section}.{path}" for path in (*found, *_paths_to(key, fields)))


def _known(cls: type) -> dict[str, Any]:
    """The keys of a section and what their values may be."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in _init_fields(cls)}


def _section(place: tuple[str | int, ...]) -> str:
    return f"[{'.'.join(map(str, place))}]" if place else "[top level]"


def _describe(place: tuple[str | int, ...], message: str, value: Any) -> str:
    shown = repr(value)
    shown = f" (got {shown if len(shown) <= 60 else shown[:57] + '...'})"
    message = message.removeprefix("Value error, ")
    if not place or isinstance(
        value, Mapping
    ):  # the value is a whole section: the message names the field
        missing = message == "Field required"
        return (
            f"{_section(place[:-1])} {place[-1]}: missing"
            if missing
            else f"{_section(place)} {message}"
        )
    return f"{_section(place[:-1])} {place[-1]}: {message}{shown}"


def _hint(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known) or 'none'}"
