"""One function per kind of file that is read: bytes of unknown origin in, refused or understood.

Anything but the errors meant for users is a find. Run by `fuzz.py` under atheris, and by the tests
on the corpus and on what fuzzing found.
"""

import contextlib
import json
import tempfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from gridsim.config import preset_config, resolve
from gridsim.households.profiles import load_profiles
from gridsim.network.feeder import load_compiled
from gridsim.network.net_json import read_plain_net
from gridsim.network.pandapower_io import compile_feeder, read_net
from ss_core.analysis.export import export_view
from ss_core.analysis.queries import list_views, query
from ss_core.analysis.run_data import RunData
from ss_core.config import parse_assignment, read_toml
from ss_core.errors import SuggestionSharingError
from ss_core.objective.action_families import well_formed
from ss_core.record.atomic import json_bytes
from ss_core.record.checkpoint import load_latest
from ss_core.record.manifest import read_manifest
from ss_core.record.trace_writer import TraceWriter, trace_resources
from ss_core.scenario.short_runs import read_short_run
from trafficsim.demand.read import read_demand
from trafficsim.nets.network import examine
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import build_road_graph

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).with_name("corpus")
STATE, TENSORS = "checkpoints/000002/state.json", "checkpoints/000002/tensors.safetensors"
FOLDER = Path(tempfile.mkdtemp(prefix="ss-fuzz-"))


def written(name: str, data: bytes) -> Path:
    """A file with these bytes."""
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def found_before(name: str) -> dict[str, bytes]:
    """Inputs that earlier fuzzing kept because each reached new code."""
    path = CORPUS / f"{name}.zip"
    if not path.is_file():
        return {}
    with zipfile.ZipFile(path) as archive:
        return {key: archive.read(key) for key in archive.namelist()}


def config(data: bytes) -> None:
    """Settings in TOML, and as assignments."""
    with contextlib.suppress(SuggestionSharingError):
        values = read_toml(written("my.toml", data))
        resolve("tuned", _flat(values))
    with contextlib.suppress(SuggestionSharingError):
        key, value = parse_assignment(data.decode("utf-8", "replace"))
        resolve("tuned", {key: value})
    assert preset_config("tuned").households == 50


def _flat(table: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def net(data: bytes) -> None:
    """A SUMO network."""
    path = written("my.net.xml", data)
    with contextlib.suppress(SuggestionSharingError):
        records = read_records(path)
        report = examine(records, str(path))
        if not report.problems:
            build_road_graph(records)


_TOWN = ROOT / "data" / "nets" / "grid_3x3.net.xml"
_ROADS = build_road_graph(read_records(_TOWN))


def demand(data: bytes) -> None:
    """Trips, routes and flows in SUMO's format."""
    path = written("my.rou.xml", data)
    with contextlib.suppress(SuggestionSharingError):
        read_demand(path, kind="routes", edges=_ROADS.position, rng=np.random.default_rng(0))


def feeder(data: bytes) -> None:
    """A pandapower net in JSON."""
    path = written("my.json", data)
    with contextlib.suppress(SuggestionSharingError):
        read_plain_net(path)
    with contextlib.suppress(SuggestionSharingError):
        compile_feeder(read_net(path), "my")


def compiled(data: bytes) -> None:
    """A compiled feeder."""
    with contextlib.suppress(SuggestionSharingError):
        load_compiled(written("my.npz", data))


def profiles(data: bytes) -> None:
    """Load profiles in Parquet."""
    with contextlib.suppress(SuggestionSharingError):
        load_profiles(written("my.parquet", data))


def checkpoint(data: bytes) -> None:
    """A checkpoint: the first byte says which of its files is damaged, and whether hashes tell."""
    task = FOLDER / "task"
    files = {
        name: (CORPUS / "checkpoint" / f"as_{number}").read_bytes()[1:]
        for number, name in enumerate(("LATEST", STATE, TENSORS))
    }
    choice = data[0] % 5 if data else 0
    if choice >= 3:
        files = _forged(files, STATE if choice == 3 else TENSORS, data[1:])
    elif data:
        files[list(files)[choice]] = data[1:]
    for name, content in files.items():
        written(f"task/{name}", content)
    with contextlib.suppress(SuggestionSharingError):
        loaded = load_latest(task)
        if loaded is not None:
            assert choice == 4 or torch.equal(loaded.tensors["a"], torch.arange(4.0))
            TraceWriter(FOLDER / "untraced", constants={}).discard_after(loaded.parts)


def _forged(files: dict[str, bytes], name: str, data: bytes) -> dict[str, bytes]:
    """The files with `data` as one of them and every hash right: what a stranger could send."""
    tensors = data if name == TENSORS else files[TENSORS]
    try:
        body = json.loads(data if name == STATE else files[STATE])
        body["tensors_sha256"] = sha256(tensors).hexdigest()
        body.pop("sha256", None)
        state = json_bytes({**body, "sha256": sha256(json_bytes(body)).hexdigest()})
    except (ValueError, TypeError, AttributeError, RecursionError):
        state = data
    pointer = json.loads(files["LATEST"])
    pointer["sha256"] = {
        "state.json": sha256(state).hexdigest(),
        "tensors.safetensors": sha256(tensors).hexdigest(),
    }
    return {"LATEST": json_bytes(pointer), STATE: state, TENSORS: tensors}


def manifest(data: bytes) -> None:
    """A manifest, and the result of a short run."""
    written("run/manifest.json", data)
    with contextlib.suppress(SuggestionSharingError):
        read_manifest(FOLDER / "run")
    written("trial/trial.json", data)
    with contextlib.suppress(SuggestionSharingError):
        read_short_run(FOLDER / "trial")


def trace(data: bytes) -> None:
    """A part of a trace, read by all that read traces."""
    if not (FOLDER / "traced" / "manifest.json").exists():
        written("traced/manifest.json", (CORPUS / "manifest" / "sound").read_bytes())
    written("traced/traces/kpi/part-000000.parquet", data)
    for read in (
        lambda: trace_resources(FOLDER / "traced"),
        lambda: list_views(FOLDER / "traced"),
        lambda: query(FOLDER / "traced", "select kpi, avg(value) from kpi group by kpi"),
        lambda: export_view(FOLDER / "traced", "full"),
        lambda: RunData(FOLDER / "traced").table("kpi"),
    ):
        with contextlib.suppress(SuggestionSharingError):
            read()


def suggestion(data: bytes) -> None:
    """Numbers that somebody suggests."""
    numbers = torch.frombuffer(bytearray(data + bytes(-len(data) % 4 or 4)), dtype=torch.float32)
    legal = torch.arange(len(numbers)) % 3 > 0
    if bool(well_formed(numbers, legal)):
        probs = numbers.exp()
        assert bool(probs.isfinite().all())
        assert abs(float(probs.sum()) - 1.0) < 0.01


TARGETS: dict[str, Callable[[bytes], None]] = {
    "config": config,
    "net": net,
    "demand": demand,
    "feeder": feeder,
    "compiled": compiled,
    "profiles": profiles,
    "checkpoint": checkpoint,
    "manifest": manifest,
    "trace": trace,
    "suggestion": suggestion,
}
