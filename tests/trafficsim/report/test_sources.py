"""An export of a traffic run names its net, and own files only to the operator."""

import json
from pathlib import Path
from typing import Any

from ss_core.analysis.about import Source
from ss_core.analysis.run_data import RunData
from ss_core.record.atomic import sha256_of
from ss_core.record.run_directory import RunDirectory
from trafficsim.nets.catalogue import shipped_nets
from trafficsim.report.sources import SUMO_RL, run_sources


def source_of(folder: Path, config: dict[str, Any], *, named: bool, sha256: str = "") -> Source:
    with RunDirectory.create(folder, task="traffic", size="x", seed=0, config=config) as run:
        if sha256:
            (folder / "inputs").mkdir()
            (folder / "inputs" / "inputs.json").write_text(json.dumps({"net_sha256": sha256}))
        run.finish("complete")
    (source,) = run_sources(RunData(folder), named=named)
    return source


def test_a_net_of_sumo_rl_comes_under_its_licence(tmp_path: Path) -> None:
    found = source_of(tmp_path, {"net": "ingolstadt21"}, named=False)
    assert found.title == "net ingolstadt21, from sumo-rl"
    assert found.licence.startswith("GPL-3.0")
    assert found.path == SUMO_RL


def test_a_shipped_net_is_known_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    net = shipped_nets()[0]
    config = {"net": "/elsewhere/renamed.net.xml"}
    found = source_of(tmp_path, config, named=False, sha256=sha256_of(net))
    assert found == Source(f"net {net.name}, of Suggestion Sharing", "Apache-2.0")


def test_lights_name_the_net_of_their_scene(tmp_path: Path) -> None:
    config = {"scenario": "", "scene": {"net": "/data/town.net.xml"}, "net_sha256": "0" * 64}
    assert source_of(tmp_path / "a", config, named=True) == Source("net town.net.xml")
    assert source_of(tmp_path / "b", config, named=False) == Source("a net of the user's own")
