"""The recorded day of an edge: intervals put together, by hand and as SUMO itself does it."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ss_core.record.trace_writer import TraceWriter
from tests.support.small_nets import NOISY, TWO_ROUTE, small_game, trips, write_net
from trafficsim.nets.read import read_records
from trafficsim.results.edge_tables import day_of_edges, write_edge_days, write_edges
from trafficsim.sumo.recording import EDGE_FIELDS, Recording, record_day, without_edges
from trafficsim.sumo.simulation import Outcome, Simulator, SumoConfig

NOBODY = Outcome(
    arrival_s=np.zeros(0),
    teleports=np.zeros(0, dtype=np.int64),
    collisions=0,
    link_speed_m_per_s=np.zeros((0, 0)),
    link_vehicles=np.zeros((0, 0)),
    end_s=30.0,
)


def recording_of(rows: list[tuple[str, float, float, dict[str, float]]]) -> Recording:
    """Rows: edge, begin, end, SUMO's numbers; 0 where none is given."""
    names, begins, ends, values = zip(*rows, strict=True)
    edge = {key: np.array([one.get(key, 0.0) for one in values]) for key in (*EDGE_FIELDS, "co2_g")}
    return Recording(NOBODY, {}, np.array(begins), np.array(ends), names, edge)


def rows_of(folder: Path, table: str) -> list[dict]:
    parts = sorted((folder / "traces" / table).glob("*.parquet"))
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def written(folder: Path, level: str = "kpi") -> TraceWriter:
    return TraceWriter(folder, level=level, constants={"run_id": "r", "seed": 0})  # type: ignore[arg-type]


def test_intervals_weigh_as_long_as_vehicles_were_there() -> None:
    quick = {
        "departed": 1.0,
        "sampledSeconds": 10.0,
        "speed": 10.0,
        "traveltime": 5.0,
        "entered": 2.0,
    }
    slow = {"sampledSeconds": 30.0, "speed": 2.0, "traveltime": 25.0, "entered": 3.0}
    day = day_of_edges(
        recording_of(
            [
                ("a", 0.0, 10.0, quick | {"density": 20.0, "timeLoss": 1.0, "co2_g": 7.0}),
                ("a", 10.0, 30.0, slow | {"density": 5.0, "timeLoss": 9.0, "waitingTime": 4.0}),
                ("b", 10.0, 30.0, {"density": 3.0}),  # nobody that SUMO could time
            ]
        )
    )
    assert day["edge_id"].tolist() == ["a", "b"]
    assert day["entered"].tolist() == [5, 0]
    assert day["departed"].tolist() == [1, 0]
    assert day["speed_m_per_s"].tolist() == pytest.approx([4.0, np.nan], nan_ok=True)
    # 2 of 5 s and 1.2 of 25 s: 40 s for 3.2 passages
    assert day["traveltime_s"].tolist() == pytest.approx([12.5, np.nan], nan_ok=True)
    assert day["density_veh_per_km"].tolist() == pytest.approx([10.0, 2.0])  # over 30 s
    assert day["time_loss_s"].tolist() == [10.0, 0.0]
    assert day["waiting_time_s"].tolist() == [4.0, 0.0]
    assert day["co2_g"].tolist() == [7.0, 0.0]


@pytest.mark.sumo
@pytest.mark.parametrize("meso", [False, True], ids=["micro", "meso"])
def test_short_intervals_add_up_to_what_sumo_says_of_a_single_one(
    tmp_path: Path, meso: bool
) -> None:
    scene = small_game(tmp_path, trips(30, 1.0, kind=NOISY), sumo=SumoConfig(meso=meso)).scene
    choices = np.random.default_rng(0).integers(0, 2, 30)
    with Simulator(scene) as simulator:
        parts, whole = (day_of_edges(record_day(simulator, choices, 3, s)) for s in (20.0, 1e5))
    assert parts["edge_id"].tolist() == whole["edge_id"].tolist()
    for name in ("entered", "departed"):
        assert parts[name].tolist() == whole[name].tolist()
    for name in ("speed_m_per_s", "density_veh_per_km", "time_loss_s", "co2_g"):
        assert parts[name] == pytest.approx(whole[name], rel=0.006, abs=0.02), name
    # SUMO times whole passages; a few are cut by the ends of intervals
    assert parts["traveltime_s"] == pytest.approx(whole["traveltime_s"], rel=0.05)


def test_the_edges_of_a_net_are_written_with_ends_and_shape(tmp_path: Path) -> None:
    records = read_records(write_net(tmp_path, TWO_ROUTE))
    writer = written(tmp_path)
    write_edges(writer, records)
    writer.commit()
    by_name = {row["edge_id"]: row for row in rows_of(tmp_path, "edge")}
    assert by_name.keys() == {"entry", "queue", "neck", "detour", "exit"}
    neck = by_name["neck"]
    assert (neck["from_junction"], neck["to_junction"]) == ("c", "d")
    assert (neck["length_m"], neck["speed_limit_m_per_s"], neck["n_lane"]) == (20.0, 1.5, 1)
    assert neck["shape"] == "200,0 300,1"
    assert by_name["entry"]["n_lane"] == 2


def test_the_inside_of_junctions_is_no_edge(tmp_path: Path) -> None:
    inside = (
        '<edge id=":b_0" function="internal"><lane id=":b_0_0" index="0" speed="9" length="1" '
        'shape="0,0 1,1"/></edge></net>'
    )
    records = read_records(write_net(tmp_path, TWO_ROUTE.replace("</net>", inside)))
    writer = written(tmp_path)
    write_edges(writer, records)
    writer.commit()
    assert len(rows_of(tmp_path, "edge")) == 5


def test_days_of_edges_are_in_the_trace_at_its_lowest_level_and_not_when_off(
    tmp_path: Path,
) -> None:
    recording = recording_of([("a", 0.0, 10.0, {"sampledSeconds": 1.0, "speed": 2.0})])
    for level, rows in (("kpi", 1), ("off", 0)):
        writer = written(tmp_path / level, level)
        write_edge_days(writer, "ss", recording, 0)
        writer.commit()
        found = rows_of(tmp_path / level, "edge_day")
        assert len(found) == rows
    (row,) = rows_of(tmp_path / "kpi", "edge_day")
    assert (row["algorithm"], row["phase"], row["day"], row["speed_m_per_s"]) == (
        *("ss", "eval", 0),
        2.0,
    )
    assert row["traveltime_s"] is None  # SUMO said nothing


def test_a_day_without_edges_writes_none(tmp_path: Path) -> None:
    nothing = without_edges(
        {}, arrival_s=np.zeros(1), teleports=np.zeros(1, dtype=int), collisions=0, end_s=1.0
    )
    writer = written(tmp_path)
    write_edge_days(writer, "ss", nothing, 0)
    writer.commit()
    assert rows_of(tmp_path, "edge_day") == []
