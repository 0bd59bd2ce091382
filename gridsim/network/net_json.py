"""Reading pandapower's JSON format as plain tables, without running anything the file names.

The format can name Python modules and classes to rebuild; here a file is data only. What is not a
table of numbers, texts and truth values is refused by name. No pandapower here.
"""

import json
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ss_core.errors import InputError

MAX_JSON_BYTES = 64 * 2**20
ALLOWED_COLUMNS_OF_OBJECTS = ("geo", "coords")  # coordinates: kept out of the power flow
TABLE_MODULES = ("pandas.core.frame", "pandas")
IGNORED_PREFIXES = ("res_", "_")
IGNORED_TABLES = ("controller", "group")  # they hold objects, and a power flow does not ask them
SETTINGS = ("name", "version", "format_version", "f_hz", "sn_mva")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a net: a row per element."""

    columns: list[str]
    index: list[int]
    rows: list[list[Any]]
    objects: Mapping[str, str] = field(default_factory=dict)
    # columns whose lists and objects were left out, and what to say of each
    user_columns: tuple[str, ...] = ()  # that pandapower does not know; found by who knows it


@dataclass(frozen=True, slots=True)
class PlainNet:
    """What a net file holds, as plain data."""

    settings: dict[str, Any]  # name, version, format_version, f_hz, sn_mva
    tables: dict[str, Table]
    ignored: dict[str, int] = field(default_factory=dict)  # rows of tables that are not read


def read_plain_net(path: Path) -> PlainNet:
    """Parse a pandapower JSON file.

    Raises:
        InputError: the file cannot be read, is too large, or holds more than plain tables.
    """
    content = _net_content(path)
    settings: dict[str, Any] = {}
    tables: dict[str, Table] = {}
    ignored: dict[str, int] = {}
    for name, value in content.items():
        if name in SETTINGS:
            settings[name] = _setting(value, f"{path}: {name}")
        elif name in IGNORED_TABLES and _is_table(value):
            rows = _rows_of(value, f"{path}: table {name!r}")
            ignored |= {name: rows} if rows else {}
        elif _is_table(value):
            if not name.startswith(IGNORED_PREFIXES):
                tables[name] = _table(value, f"{path}: table {name!r}")
        elif _names_a_class(value):
            raise InputError(
                f"{path}: entry {name!r} is an object of {value.get('_module')}."
                f"{value.get('_class')}; only tables are read: remove it from the net"
            )
    return PlainNet(settings, tables, ignored)


def read_profile_tables(path: Path, names: Collection[str]) -> dict[str, Table]:
    """The tables of these names of a net's `profiles`, as far as it has them.

    Raises:
        InputError: the file cannot be read, or a table of profiles is not plain.
    """
    profiles = _net_content(path).get("profiles")
    if not isinstance(profiles, dict):
        return {}
    return {
        name: _table(value, f"{path}: profiles, table {name!r}")
        for name, value in profiles.items()
        if name in names and _is_table(value)
    }


def _net_content(path: Path) -> dict[str, Any]:
    document = _parse(_read_text(path), f"{path}")
    if not _is_object(document, ("pandapower.auxiliary",), "pandapowerNet"):
        raise InputError(
            f"{path}: not a pandapower net; write one with pandapower.to_json(net, path)"
        )
    content = document["_object"]
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: an encrypted or very old net; write it again with pandapower.to_json"
        )
    return content


def _read_text(path: Path) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: not a regular file; give a pandapower JSON file")
        if status.st_size > MAX_JSON_BYTES:
            raise InputError(
                f"{path}: {status.st_size} bytes, more than {MAX_JSON_BYTES}; "
                "remove result tables and profiles from the net"
            )
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a net file") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not text in UTF-8 ({error.reason}); write the net with "
            "pandapower.to_json(net, path), after pandapower.from_pickle or from_excel"
        ) from error


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{place}: not valid JSON, line {error.lineno} column {error.colno}: {error.msg}; "
            "write it with pandapower.to_json(net, path), without a key for encryption"
        ) from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{place}: not valid JSON ({error})") from error


def _is_object(value: Any, modules: tuple[str, ...], class_name: str) -> bool:
    return (
        isinstance(value, dict)
        and value.get("_module") in modules
        and value.get("_class") == class_name
        and "_object" in value
    )


def _is_table(value: Any) -> bool:
    return _is_object(value, TABLE_MODULES, "DataFrame")


def _names_a_class(value: Any) -> bool:
    return isinstance(value, dict) and ("_module" in value or "_class" in value)


def _setting(value: Any, place: str) -> str | float | int | None:
    if value is None or isinstance(value, str | float | int):
        return value
    raise InputError(f"{place}: expected a text or a number, got {type(value).__name__}")


def _table(value: dict[str, Any], place: str) -> Table:
    if value.get("orient", "split") != "split":
        raise InputError(
            f"{place}: orientation {value['orient']!r}; write it with pandapower.to_json"
        )
    if value.get("is_multiindex") or value.get("is_multicolumn"):
        raise InputError(f"{place}: has several levels of index; remove the table from the net")
    content = _content(value, place)
    columns, index, rows = content["columns"], content["index"], content["data"]
    if not all(isinstance(part, list) for part in (columns, index, rows)):
        raise InputError(f"{place}: columns, index and data must be lists")
    if not all(isinstance(column, str) for column in columns) or len(set(columns)) != len(columns):
        raise InputError(f"{place}: column names must be different texts")
    if len(rows) != len(index):
        raise InputError(f"{place}: {len(index)} indices for {len(rows)} rows")
    return Table(columns, index, rows, _take_objects_out(columns, index, rows, place))


def _content(value: dict[str, Any], place: str) -> dict[str, Any]:
    inner = value["_object"]
    content = _parse(inner, place) if isinstance(inner, str) else inner
    if not isinstance(content, dict) or not {"columns", "index", "data"} <= set(content):
        raise InputError(f"{place}: has no columns, index and data")
    return content


def _rows_of(value: dict[str, Any], place: str) -> int:
    rows = _content(value, place)["data"]
    return len(rows) if isinstance(rows, list) else 0


def _take_objects_out(
    columns: list[str], index: list[Any], rows: list[Any], place: str
) -> dict[str, str]:
    """Replace lists and objects in cells by nothing; what to say of each column that had one."""
    found: dict[str, str] = {}
    for element, row in zip(index, rows, strict=True):
        if not isinstance(row, list) or len(row) != len(columns):
            raise InputError(f"{place}, row {element}: expected {len(columns)} values")
        for at, (column, cell) in enumerate(zip(columns, row, strict=True)):
            if isinstance(cell, dict | list) and column not in ALLOWED_COLUMNS_OF_OBJECTS:
                found.setdefault(
                    column,
                    f"{place}, row {element}, column {column!r}: expected a number or a text, "
                    f"got {type(cell).__name__}; remove the column",
                )
                row[at] = None
    return found
