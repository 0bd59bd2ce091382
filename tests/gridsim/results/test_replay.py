"""The nets of a run's `replay/` open in pandapower and say what the traces say."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandapower
import pandas as pd
import pytest

from tests.support.grid_runs import only_run, ssgrid_run, tasks_here

ROOT = Path(__file__).parents[3]
SNIPPET = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "replay.md").read_text(), re.DOTALL)


def voltages(run: Path, name: str) -> dict[str, float]:
    rows = pd.read_parquet(run / "traces" / "bus_step")
    rows = rows[rows["algorithm"] == name]
    return dict(zip(rows["bus_id"], rows["vm_pu"].astype(float), strict=True))


def small_run(out: Path, *more: str) -> Path:
    size = ("--households", "4", "--days", "2", "--budget", "2", "--out", str(out), "--quiet")
    with tasks_here():
        assert ssgrid_run(*size, *more) == 0
    return only_run(out)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("replay"))


@pytest.mark.parametrize("name", ["ss", "nash"])
def test_pandapower_finds_the_traced_voltages(run: Path, name: str) -> None:
    net: Any = pandapower.from_json(str(run / "replay" / f"{name}.json"))
    traced = voltages(run, name)
    stored = net.res_bus.vm_pu.copy()
    pandapower.runpp(net)
    again = {str(net.bus.name[bus]): vm_pu for bus, vm_pu in net.res_bus.vm_pu.items()}
    shared = traced.keys() & again.keys()
    assert len(shared) >= 0.9 * len(traced)
    assert max(abs(traced[bus] - again[bus]) for bus in shared) < 1e-6
    assert np.allclose(stored, net.res_bus.vm_pu, atol=1e-6)


def test_the_profiles_hold_the_day_of_the_worst_step(run: Path) -> None:
    net: Any = pandapower.from_json(str(run / "replay" / "ss.json"))
    rows: Any = pd.read_parquet(run / "traces" / "feeder_step")
    rows = rows[rows["algorithm"] == "ss"].sort_values(["day", "step"])
    worst = rows.loc[rows["trafo_loading_percent"].idxmax()]
    day_kw = rows.loc[rows["day"] == worst["day"], "p_total_kw"].to_numpy()
    profile = net.profiles["load.p_mw"]
    assert list(profile.columns) == list(net.load.index)
    np.testing.assert_allclose(1000 * profile.sum(axis=1).to_numpy(), day_kw, rtol=1e-5)
    assert net.load.p_mw.tolist() == pytest.approx(profile.iloc[int(worst["step"])].tolist())


def test_the_lines_in_the_documents_run_as_printed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SNIPPET is not None
    monkeypatch.chdir(run.parent)
    code = SNIPPET[1].replace("runs/<run>", run.name)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/replay.md", "exec"), names)
    assert len(names["lowest"]) == 96
    assert min(names["lowest"]) == pytest.approx(min(voltages(run, "ss").values()), abs=1e-6)


def test_a_net_of_ones_own_keeps_its_names(tmp_path: Path) -> None:
    net = pandapower.create_empty_network()
    grid, source, house = (
        pandapower.create_bus(net, vn_kv, name=name)
        for name, vn_kv in (("Mittelspannung", 20.0), ("Übergabe", 0.4), ("=house", 0.4))
    )
    pandapower.create_ext_grid(net, grid)
    pandapower.create_transformer(net, grid, source, "0.25 MVA 20/0.4 kV")
    pandapower.create_line_from_parameters(
        net, source, house, length_km=0.2, r_ohm_per_km=0.2, x_ohm_per_km=0.08, c_nf_per_km=0.0,
        max_i_ka=0.27, name="cable",
    )  # fmt: skip
    for number in range(2):
        pandapower.create_load(net, house, p_mw=0.001, name=f"load {number}")
    path = tmp_path / "mine.json"
    path.write_text(pandapower.to_json(net))
    run = small_run(tmp_path / "runs", "--feeder", str(path), "--households", "2")
    replayed: Any = pandapower.from_json(str(run / "replay" / "nash.json"))
    assert replayed.bus.name.tolist() == ["Mittelspannung", "Übergabe", "=house"]
    assert voltages(run, "nash")["=house"] == pytest.approx(
        float(replayed.res_bus.vm_pu[house]), abs=1e-6
    )
    assert (
        "load.p_mw" in json.loads((run / "replay" / "nash.json").read_text())["_object"]["profiles"]
    )
