"""`datapackage.json`: an export as a Frictionless Data Package, version 2.

The standard: https://datapackage.org. `unit`, `visibility` and `guard` of a field, `rows` of a
resource and `licence` of a source are ours; the standard allows further properties.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ss_core.analysis.about import About, Source
from ss_core.analysis.export import Exported
from ss_core.record.run_directory import PACKAGE_SCHEMA
from ss_core.record.schema import Column
from ss_core.record.trace_writer import FIELD_TYPES

TABLE_SCHEMA = "https://datapackage.org/profiles/2.0/tableschema.json"
FORMATS: Mapping[str, Mapping[str, Any]] = {
    "parquet": {"format": "parquet", "mediatype": "application/vnd.apache.parquet"},
    "csv": {"format": "csv", "mediatype": "text/csv", "encoding": "utf-8"},
}
NO_NAME = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """A table, and the bytes of the file that holds it."""

    table: Exported
    path: str  # below the package
    content: bytes
    guards: Mapping[str, str]  # column → how its texts differ from those of the run

    @property
    def format(self) -> str:
        """Of the file: parquet or csv."""
        return self.path.rsplit(".", 1)[-1]


def package_of(about: About, tables: Sequence[WrittenTable]) -> dict[str, Any]:
    """The description of a package of tables."""
    package: dict[str, Any] = {
        "$schema": PACKAGE_SCHEMA,
        "name": NO_NAME.sub("-", about.run_id.lower()) or "run",
        "title": about.title,
        "description": "\n\n".join(about.notes),
    }
    if about.created:
        package["created"] = about.created
    if about.licence:
        package["licenses"] = [{"path" if about.licence_is_address else "name": about.licence}]
    if about.author:
        package["contributors"] = [{"title": about.author, "roles": ["author"]}]
    sources = [*about.sources, Source(about.program)] if about.program else list(about.sources)
    if sources:
        package["sources"] = [_source(one) for one in sources]
    return package | {"resources": [_resource(one) for one in tables]}


def _source(one: Source) -> dict[str, str]:
    known = {"title": one.title, "path": one.path, "licence": one.licence}
    return {name: value for name, value in known.items() if value}


def _resource(one: WrittenTable) -> dict[str, Any]:
    table, form = one.table, one.format
    shown = {column.name for column in table.columns}
    schema: dict[str, Any] = {
        "$schema": TABLE_SCHEMA,
        "fields": [
            {
                "name": column.name,
                "type": _field_type(one, column),
                "description": column.description,
                "unit": column.unit,
                "visibility": column.visibility,
                **({"guard": one.guards[column.name]} if column.name in one.guards else {}),
            }
            for column in table.columns
        ],
    }
    if table.key and set(table.key) <= shown:
        schema["primaryKey"] = list(table.key)
    return {
        "name": table.name,
        "type": "table",
        "path": one.path,
        "title": table.grain,
        "description": f"One row is {table.grain}.",
        **FORMATS[form],
        **({"bytes": len(one.content)} if form == "csv" else {}),  # the validator counts no others
        "hash": f"sha256:{hashlib.sha256(one.content).hexdigest()}",
        "rows": table.values.num_rows,
        "schema": schema,
    }


def _field_type(one: WrittenTable, column: Column) -> str:
    """Of Table Schema; the validator reads Parquet through pandas, whose integers know no null."""
    known = FIELD_TYPES.get(column.type, "number")
    lacks = one.format == "parquet" and one.table.values.column(column.name).null_count
    return "number" if known == "integer" and lacks else known
