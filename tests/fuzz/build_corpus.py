"""Writes the seeds of the corpus: a small sound file of every kind, and damaged forms of it."""

import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pandapower as pp
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from gridsim.households.profiles import DAYS, STEPS_PER_DAY
from gridsim.network.feeder import save_feeder
from gridsim.network.pandapower_io import compile_feeder
from ss_core.record.checkpoint import save_checkpoint
from ss_core.record.run_directory import RunDirectory
from ss_core.record.trace_writer import TraceWriter
from tests.fuzz.targets import STATE, TENSORS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CORPUS = HERE / "corpus"

SETTINGS = b"""households = 20
feeder = "kerber_dorfnetz"
[learner]
gamma = 0.98
hidden = [8, 8]
[learner.exchange]
protocol = "random"
liars = 0.1
"""
NET = b"""<net version="1.20">
<edge id="ab" from="a" to="b">
<lane id="ab_0" index="0" speed="13.9" length="100" shape="0,0 100,0"/></edge>
<edge id="ba" from="b" to="a">
<lane id="ba_0" index="0" speed="13.9" length="100" shape="100,0 0,0"/></edge>
<junction id="a" type="priority"/><junction id="b" type="priority"/>
<connection from="ab" to="ba" fromLane="0" toLane="0"/>
<connection from="ba" to="ab" fromLane="0" toLane="0"/>
</net>
"""
DEMAND = b"""<routes>
<vType id="car" vClass="passenger" sigma="0.5"/>
<trip id="t" depart="0" from="%(a)s" to="%(b)s"/>
<flow id="f" begin="0" end="60" number="3" from="%(a)s" to="%(b)s" type="car"/>
<vehicle id="v" depart="5"><route edges="%(a)s %(b)s"/></vehicle>
</routes>
"""


def keep(target: str, name: str, data: bytes) -> None:
    """One seed."""
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def main() -> None:
    """All seeds; what fuzzing found (`find_…`) stays."""
    keep("config", "sound", SETTINGS)
    keep("config", "assignment", b"learner.gamma=0.9")
    keep("net", "sound", NET)
    keep("demand", "sound", DEMAND % {b"a": b"A0A1", b"b": b"A1A2"})
    _feeder()
    _run()
    keep("suggestion", "sound", torch.tensor([-50.0, -0.6931472, -0.6931472]).numpy().tobytes())
    keep("suggestion", "nan", torch.tensor([float("nan"), 1.0, 0.0]).numpy().tobytes())


def _feeder() -> None:
    net = pp.create_empty_network()
    high, low = (pp.create_bus(net, vn_kv=v) for v in (20.0, 0.4))
    pp.create_ext_grid(net, high)
    pp.create_transformer(net, high, low, std_type="0.25 MVA 20/0.4 kV")
    house = pp.create_bus(net, vn_kv=0.4)
    pp.create_line(net, low, house, 0.05, std_type="NAYY 4x50 SE")
    pp.create_load(net, house, p_mw=0.001)
    document = json.loads(pp.to_json(net, None))
    content = document["_object"]
    for name, entry in list(content.items()):  # short enough for a fuzzer to change all of it
        table = isinstance(entry, dict) and entry.get("_class") == "DataFrame"
        if name == "std_types" or (table and not json.loads(entry["_object"])["index"]):
            del content[name]
    keep("feeder", "sound", json.dumps(document).encode())
    for version in ("2.14.10", "3.1.2"):  # converted on reading
        old = ROOT / "tests" / "data" / "old_nets" / f"pandapower-{version}.json"
        keep("feeder", f"of_{version}", old.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.npz"
        save_feeder(compile_feeder(net, "small"), small)
        keep("compiled", "small", small.read_bytes())


def _run() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        with RunDirectory.create(folder, task="t", size="n1", seed=0, config={"a": 1}) as run:
            run.finish("complete")
        sound = (folder / "manifest.json").read_bytes()
        keep("manifest", "sound", sound)
        keep("manifest", "old", re.sub(rb' *"format": [0-9]+,\n', b"", sound))  # as version 0.1
        keep("manifest", "trial", json.dumps({"welfare": 1.0}).encode())
        writer = TraceWriter(Path(name) / "traces", constants={"run_id": "r", "algorithm": "ss"})
        writer.write("kpi", {"kpi": "peak_kw", "scope": "feeder", "value": 1.0, "unit": "kW"})
        writer.commit()
        (part,) = (Path(name) / "traces").rglob("*.parquet")
        keep("trace", "sound", part.read_bytes())
        task = Path(name) / "task"
        for update in (1, 2):
            save_checkpoint(task, update, {"a": torch.arange(4.0)}, {"update": update})
        files = ("LATEST", STATE, TENSORS)
        for number, file in enumerate((*files, STATE, TENSORS)):  # the last two: hashes are mended
            keep("checkpoint", f"as_{number}", bytes([number]) + (task / file).read_bytes())
    shipped = ROOT / "data" / "feeders" / "kerber_dorfnetz.npz"
    keep("compiled", "sound", shipped.read_bytes())
    shipped = pq.read_schema(ROOT / "data" / "profiles" / "synpro_15min.parquet")
    year = np.full(DAYS * STEPS_PER_DAY, 0.5)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "year.parquet"
        pq.write_table(pa.table(dict.fromkeys(shipped.names, year)), path)
        keep("profiles", "sound", path.read_bytes())


if __name__ == "__main__":
    main()
