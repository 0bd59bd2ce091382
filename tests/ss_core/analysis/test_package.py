"""An export is a Data Package by the rules of version 2, and `frictionless` accepts it."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ss_core.analysis.about import About, Source
from ss_core.analysis.export import Export, Exported
from ss_core.analysis.export_writer import write_export
from ss_core.record.schema import Column

jsonschema = pytest.importorskip("jsonschema")

TYPES = ("string", "integer", "number", "boolean", "datetime")
CLOCK = r"\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"
TEXT = {"type": "string", "minLength": 1}
RULES: dict[str, Any] = {  # what https://datapackage.org/profiles/2.0/ asks of properties we write
    "type": "object",
    "required": ["resources", "name", "title", "description"],
    "properties": {
        "$schema": {"const": "https://datapackage.org/profiles/2.0/datapackage.json"},
        "name": {"type": "string", "pattern": "^[a-z0-9._-]+$"},
        "created": {
            "type": "string",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$",
        },
        "licenses": {
            "type": "array",
            "minItems": 1,
            "items": {
                "anyOf": [{"required": ["name"]}, {"required": ["path"]}],
                "properties": {
                    "name": {"type": "string", "pattern": "^[-a-zA-Z0-9._+]+$"},
                    "path": {"type": "string", "pattern": "^https?://"},
                },
            },
        },
        "contributors": {"type": "array", "minItems": 1, "items": {"required": ["title"]}},
        "sources": {
            "type": "array",
            "minItems": 1,
            "items": {"required": ["title"], "properties": {"path": {"pattern": "^https?://"}}},
        },
        "resources": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["name", "path", "type", "format", "mediatype", "hash", "schema"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z0-9._-]+$"},
                    "path": {"type": "string", "pattern": r"^(?!/)(?!.*\.\.)[^:]+$"},
                    "type": {"const": "table"},
                    "bytes": {"type": "integer", "minimum": 1},
                    "hash": {"pattern": "^sha256:[0-9a-f]{64}$"},
                    "schema": {
                        "required": ["fields"],
                        "properties": {
                            "primaryKey": {"type": "array", "items": TEXT, "minItems": 1},
                            "fields": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "required": ["name", "type", "description", "unit"],
                                    "properties": {
                                        "name": TEXT,
                                        "type": {"enum": TYPES},
                                        "description": TEXT,
                                        "unit": {"type": "string"},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
ABOUT = About(
    title="Tables of a run",
    run_id="Traffic Straße-s0-01234567",
    view="full",
    notes=("One.", "Two."),
    sources=(Source("net", "Apache-2.0"), Source("trips", path="https://example.org")),
    created="2026-11-27T19:23:04+00:00",
    program="Suggestion Sharing 0.2.0",
    author="A. Body",
    licence="CC-BY-4.0",
)
COLUMNS = (
    Column("run_id", "string", "", "run"),
    Column("n", "int32", "1", "how many"),
    Column("power_kw", "float32", "kW", "power"),
    Column("ok", "bool", "", "whether it is"),
    Column("arrival_time", "timestamp", "", "when"),
)
VALUES = pa.table(
    {
        "run_id": ["=1", "Straße", "c"],
        "n": pa.array([1, None, 3], pa.int32()),
        "power_kw": pa.array([0.1, None, 1e-7], pa.float32()),
        "ok": [True, None, False],
        "arrival_time": pa.array([0, None, 90_500], pa.timestamp("ms")),
    }
)
EXPORT = Export("full", [Exported("trip", "a trip", COLUMNS, VALUES, ("run_id",))])


def package_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "datapackage.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_package_keeps_the_rules_and_tells_what_lies_beside_it(tmp_path: Path, form: str) -> None:
    write_export(EXPORT, ABOUT, form, tmp_path)
    package = package_in(tmp_path)
    problems = [error.message for error in jsonschema.Draft7Validator(RULES).iter_errors(package)]
    assert problems == []
    assert {each["path"] for each in package["resources"]} == {
        path.name for path in tmp_path.iterdir() if path.name != "datapackage.json"
    }
    for resource in package["resources"]:
        content = (tmp_path / resource["path"]).read_bytes()
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert resource.get("bytes", len(content)) == len(content)
        assert ("bytes" in resource) == ("encoding" in resource) == (resource["format"] == "csv")
    assert package["name"] == "traffic-stra-e-s0-01234567"
    assert package["licenses"] == [{"name": "CC-BY-4.0"}]
    assert package["contributors"] == [{"title": "A. Body", "roles": ["author"]}]
    titles = [each["title"] for each in package["sources"]]
    assert titles == ["net", "trips", "Suggestion Sharing 0.2.0"]


def test_fields_have_types_and_units_of_the_schema(tmp_path: Path) -> None:
    write_export(EXPORT, ABOUT, "csv", tmp_path)
    trip, _ = package_in(tmp_path)["resources"]
    kinds = [field["type"] for field in trip["schema"]["fields"]]
    assert kinds == ["string", "integer", "number", "boolean", "datetime"]
    assert [field["unit"] for field in trip["schema"]["fields"]] == ["", "1", "kW", "", ""]
    assert trip["schema"]["primaryKey"] == ["run_id"]
    assert trip["rows"] == 3


def test_the_rules_find_what_is_wrong(tmp_path: Path) -> None:
    write_export(EXPORT, ABOUT, "csv", tmp_path)
    package = package_in(tmp_path)
    package["resources"][0]["path"] = "../elsewhere.csv"
    package["licenses"] = [{"title": "nothing else"}]
    assert len([*jsonschema.Draft7Validator(RULES).iter_errors(package)]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_frictionless_accepts_a_package(tmp_path: Path, form: str) -> None:
    program = shutil.which("frictionless")
    if program is None:
        pytest.skip("frictionless is not installed")
    write_export(EXPORT, ABOUT, form, tmp_path)
    done = subprocess.run(
        [program, "validate", "--json", "datapackage.json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout)["valid"], done.stdout
