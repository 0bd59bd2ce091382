"""Demand files: golden cases by hand, SUMO's own reading of flows, every fault with its line."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.errors import InputError
from trafficsim.demand.flows import flow_departures_s
from trafficsim.demand.read import Kind, read_demand
from trafficsim.demand.trips import DEFAULT_TYPE, Demand, Trip, VehicleType, demand_file
from trafficsim.nets.catalogue import inside_sumo_rl, net_named
from trafficsim.nets.problems import MAX_SHOWN
from trafficsim.nets.sumo_text import time_s

EDGES = ("a", "b", "c", "d")


def read(folder: Path, text: str, *, kind: Kind = "routes", taz: str = "", seed: int = 0) -> Demand:
    path = folder / "my.xml"
    path.write_text(text)
    zones = folder / "my.taz.xml"
    zones.write_text(taz)
    return read_demand(
        path,
        kind=kind,
        edges=EDGES,
        taz=(zones,) if taz else (),
        rng=np.random.default_rng(seed),
    )


def test_trips_are_sorted_by_departure_then_id(tmp_path: Path) -> None:
    demand = read(
        tmp_path,
        """<routes>
        <vType id="car" vClass="passenger" sigma="0" speedDev="0"/><vType id="spare"/>
        <trip id="late" depart="1:00:00:01.5" from="a" to="b"/>
        <trip id="y" type="car" depart="61" from="a" to="c" via="b" color="red"/>
        <trip id="x" depart="0:01:01.004" from="b" to="d"/>
        </routes>""",
        kind="trips",
    )
    assert demand.trips == (
        Trip("x", 61.0, "b", "d"),
        Trip("y", 61.0, "a", "c", "car", via=("b",)),
        Trip("late", 86401.5, "a", "b"),
    )
    assert demand.types == (
        VehicleType("car", (("vClass", "passenger"), ("sigma", "0"), ("speedDev", "0"))),
    )
    assert demand.source == f"{tmp_path}/my.xml: 3 trips"


def test_vehicles_have_routes_by_name_or_of_their_own(tmp_path: Path) -> None:
    demand = read(
        tmp_path,
        """<routes>
        <vehicle id="1" depart="2" route="r"/><route id="r" edges="a b c"/>
        <vehicle id="0" depart="2"><route edges="c d"/><stop lane="c_0" duration="3"/></vehicle>
        <person id="p" depart="0"><walk edges="a b"/></person><container id="k"/>
        <vehicle id="2" depart="3"><route edges="a"/></vehicle>
        </routes>""",
    )
    assert demand.trips == (Trip("1", 2.0, "a", "c", DEFAULT_TYPE, ("a", "b", "c")),)
    assert demand.source.endswith(
        ": 1 trips; driven by SUMO as the file has it: 1 x container, 1 x person, 1 x vehicle with "
        "stops; left out: 1 x trip within one edge"
    )
    assert '<stop lane="c_0" duration="3">' in demand.background
    assert '<walk edges="a b">' in demand.background
    assert demand.background_begin_s == 0.0


def test_the_route_chosen_last_is_taken_and_others_are_drawn_by_probability(
    tmp_path: Path,
) -> None:
    vehicles = "".join(f'<vehicle id="{i}" depart="1" route="both"/>' for i in range(400))
    text = f"""<routes>
        <route id="r" edges="a b"/>
        <routeDistribution id="both">
            <route refId="r" probability="3"/><route edges="a c b" probability="1"/>
        </routeDistribution>
        <routeDistribution id="named" routes="r" probabilities="1"/>
        <vehicle id="last" depart="0"><routeDistribution last="1">
            <route edges="a d" probability="0.9"/><route edges="a c" cost="3" probability="0"/>
        </routeDistribution></vehicle>
        <vehicle id="only" depart="0" route="named"/>
        {vehicles}</routes>"""
    demand = read(tmp_path, text)
    assert demand.trips[0].route == ("a", "c")
    assert demand.trips[1].route == ("a", "b")
    share = Counter(trip.route for trip in demand.trips[2:])[("a", "b")] / 400
    assert share == pytest.approx(0.75, abs=0.07)  # three standard errors
    assert read(tmp_path, text) == demand
    assert read(tmp_path, text, seed=1) != demand


def test_types_are_drawn_from_their_distribution_and_the_default_may_be_defined(
    tmp_path: Path,
) -> None:
    demand = read(
        tmp_path,
        """<routes>
        <vType id="DEFAULT_VEHTYPE" sigma="0"/>
        <vTypeDistribution id="mix"><vType id="fast" probability="1"/>
            <vType id="slow" probability="0" maxSpeed="5"/></vTypeDistribution>
        <vTypeDistribution id="list" vTypes="slow" probabilities="0.2"/>
        <trip id="0" depart="0" from="a" to="b"/>
        <trip id="1" depart="0" from="a" to="b" type="mix"/>
        <trip id="2" depart="0" from="a" to="b" type="list"/>
        </routes>""",
    )
    assert [trip.type_id for trip in demand.trips] == ["given_DEFAULT_VEHTYPE", "fast", "slow"]
    assert demand.types[0] == VehicleType("given_DEFAULT_VEHTYPE", (("sigma", "0"),))


FLOWS = {  # attributes → departures, by hand; SUMO is asked for the same below
    "number_and_end": ('begin="0" end="100" number="4"', [0, 25, 50, 75]),
    "period_and_end": ('begin="10" end="100" period="30"', [10, 40, 70]),
    "period_and_number": ('number="3" period="7"', [0, 7, 14]),
    "per_hour": ('begin="0:00:10" end="130" vehsPerHour="90"', [10, 50, 90]),
    "old_per_hour": ('end="90" perHour="120"', [0, 30, 60]),
    "none": ('begin="0" end="100" number="0"', []),
}


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_departs_evenly(tmp_path: Path, name: str) -> None:
    attributes, departures_s = FLOWS[name]
    filler = '<trip id="z" depart="999" from="a" to="b"/>'
    text = f'<routes><flow id="f" {attributes} from="a" to="b"/>{filler}</routes>'
    trips = read(tmp_path, text).trips[:-1]
    assert [trip.depart_s for trip in trips] == departures_s
    assert [trip.trip_id for trip in trips] == [f"f.{at}" for at in range(len(departures_s))]


@pytest.mark.sumo
@pytest.mark.parametrize("name", FLOWS)
def test_sumo_lets_a_flow_depart_at_the_same_times(tmp_path: Path, name: str) -> None:
    import sumo

    attributes, departures_s = FLOWS[name]
    routes, output = tmp_path / "f.rou.xml", tmp_path / "trips.xml"
    routes.write_text(f'<routes><flow id="f" {attributes} from="A1A" to="LL1"/></routes>')
    command = [
        f"{sumo.SUMO_HOME}/bin/sumo",
        "-n",
        str(inside_sumo_rl(net_named("ow").net)),
        "-r",
        str(routes),
    ]
    command += ["--vehroute-output", str(output), "--vehroute-output.intended-depart", "true"]
    command += ["--vehroute-output.write-unfinished", "true", "--end", "300", "--no-step-log"]
    subprocess.run(command, check=True, capture_output=True)
    found = re.findall(r'<vehicle id="f\.\d+" depart="([\d.]+)"', output.read_text())
    assert sorted(map(float, found)) == departures_s


@pytest.mark.parametrize("pace", ['period="exp(0.1)"', 'probability="0.1"'])
def test_a_random_flow_has_its_rate(pace: str) -> None:
    key, value = pace.rstrip('"').split('="')
    flow = {"begin": "100", "end": "20100", key: value}
    departures_s = flow_departures_s(flow, np.random.default_rng(0), most=9999, latest_s=1e6)
    assert len(departures_s) == pytest.approx(2000, abs=3 * 2000**0.5)
    assert departures_s == sorted(departures_s)
    assert departures_s[0] >= 100
    assert departures_s[-1] < 20100


OD = """$OR;D2
* from when to when
7.30 8.00
* factor
2.0
* relations
a b 10.0
a c 0.75
"""


def test_the_o_format_counts_times_factor_within_its_interval(tmp_path: Path) -> None:
    demand = read(tmp_path, OD, kind="od")
    assert demand.od_pairs == {("a", "b"): 20, ("a", "c"): demand.od_pairs["a", "c"]}
    assert demand.od_pairs["a", "c"] in (1, 2)  # 1.5: one, and another with probability ½
    departures_s = [trip.depart_s for trip in demand.trips]
    assert departures_s == sorted(departures_s)
    assert departures_s[0] >= 27000
    assert departures_s[-1] < 28800
    assert [trip.trip_id for trip in demand.trips][:2] == ["od_00", "od_01"]
    assert read(tmp_path, OD, kind="od") == demand


TAZ = """<additional><tazs>
<taz id="north" edges="a b closed"/>
<taz id="south"><tazSource id="d" weight="1"/><tazSink id="c" weight="3"/>
<tazSink id="d" weight="1"/></taz>
</tazs></additional>"""


def test_zones_spread_trips_over_their_edges_by_weight(tmp_path: Path) -> None:
    text = """<data><interval id="x" begin="0" end="1:00:00">
        <tazRelation from="north" to="south" count="1000"/></interval></data>"""
    pairs = read(tmp_path, text, kind="od", taz=TAZ).od_pairs
    assert pairs.keys() == {("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")}
    to_c = pairs["a", "c"] + pairs["b", "c"]
    assert to_c == pytest.approx(750, abs=3 * (1000 * 0.75 * 0.25) ** 0.5)


def test_a_trip_within_a_zone_goes_to_another_edge_of_it(tmp_path: Path) -> None:
    text = """<data><interval begin="0" end="60">
        <tazRelation from="north" to="north" count="20"/></interval></data>"""
    pairs = read(tmp_path, text, kind="od", taz=TAZ).od_pairs
    assert pairs.keys() == {("a", "b"), ("b", "a")}


TRIP = '<trip id="x" depart="0" from="a" to="b"/>'
USED = '<vehicle id="u" depart="0" route="r"/>'
FAULTS = [
    ('<trip id="t" depart="-1" from="a" to="b"/>', "depart is '-1'"),
    ('<trip id="t" depart="nan" from="a" to="b"/>', "depart is 'nan'"),
    ('<trip id="t" depart="inf" from="a" to="b"/>', "depart is 'inf'"),
    ('<trip id="t" depart="1e308" from="a" to="b"/>', "depart is '1e308'"),
    ('<trip id="t" depart="1:60:00" from="a" to="b"/>', "depart is '1:60:00'"),
    ('<trip id="t" from="a" to="b"/>', "depart is ''"),
    ('<trip depart="1" from="a" to="b"/>', "trip '': no id"),
    ('<trip id="a b" depart="1" from="a" to="b"/>', "characters that SUMO refuses"),
    (TRIP, "trip 'x': id 'x' was used in line 2"),
    ('<trip id="t" depart="1" from="zz" to="b"/>', "'from': the net has no edge 'zz' for cars"),
    ('<trip id="t" depart="1" from="a"/>', "has neither a route nor an edge 'to'"),
    ('<trip id="t" depart="1" from="a" to="b" type="q"/>', "vehicle type 'q' is not defined"),
    ('<vType id="q" length="NaN"/>', "vType 'q': length is 'NaN'"),
    ('<vType id="car"/>', "vType 'car': no id, or defined before"),
    ('<vTypeDistribution id="m" vTypes="q"/>', "vehicle type 'q' is not defined"),
    ('<route id="r" edges="a zz yy"/>' + USED, "the net has no edge 'yy' for cars"),
    ('<route id="r" edges=""/>' + USED, "route without edges"),
    ('<route id="known" edges="a b"/>', "route 'known': no id, or used"),
    ('<vehicle id="t" depart="0" route="r"/>', "vehicle 't': route 'r' is not defined"),
    (
        '<vehicle id="t" depart="0"><routeDistribution last="1"><route edges="a b"/>'
        "</routeDistribution></vehicle>",
        "last is '1': no such route",
    ),
    ('<routeDistribution id="r" routes="q"/>' + USED, "route 'q' is not defined before"),
    ('<routeDistribution id="r" routes="known" probabilities="-1"/>' + USED, "probability is '-1'"),
    ('<flow id="f" from="a" to="b" end="9"/>', "flow 'f': none of number"),
    ('<flow id="f" from="a" to="b" number="3"/>', "number without end"),
    ('<flow id="f" from="a" to="b" number="2.5" end="9"/>', "number is '2.5'"),
    (
        '<flow id="f" from="a" to="b" number="999999999" end="9"/>',
        "number is 999999999; more than the 299999",
    ),
    ('<flow id="f" from="a" to="b" period="3"/>', "period needs either end or number"),
    ('<flow id="f" from="a" to="b" period="1e-9" end="9"/>', "more than"),
    ('<flow id="f" from="a" to="b" period="3" probability="1" end="9"/>', "keep one"),
    ('<flow id="f" from="a" to="b" probability="1.5" end="9"/>', "probability is '1.5'"),
    ('<flow id="f" from="a" to="b" period="exp(nan)" end="9"/>', "period is 'exp(nan)'"),
    ('<flow id="f" from="a" to="b" begin="9" end="5" number="1"/>', "end is '5'"),
    ("<include/>", "<include> without href"),
]


@pytest.mark.parametrize(("element", "words"), FAULTS)
def test_a_fault_is_named_with_its_line(tmp_path: Path, element: str, words: str) -> None:
    known = '<vType id="car"/><route id="known" edges="a b"/>'
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"<routes>{known}\n{TRIP}\n{element}\n</routes>")
    assert any(
        line.strip().startswith(f"{tmp_path}/my.xml:3: ") and words in line
        for line in str(caught.value).splitlines()
    ), caught.value


def test_all_faults_are_told_at_once_and_many_are_counted(tmp_path: Path) -> None:
    trips = "".join(f'\n<trip id="{i}" depart="0" from="a" to="z{i}"/>' for i in range(25))
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"<routes>{trips}\n</routes>")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path}/my.xml: 25 problems"
    assert len(lines) == MAX_SHOWN + 2
    assert lines[1].startswith(f"  {tmp_path}/my.xml:2: trip '0', 'to': the net has no edge 'z0'")
    assert lines[-1] == "  and 5 more"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<routes/>", "no trip of passenger in it"),
        ('<routes><trip id="0" depart="0" from="a" to="a"/></routes>', "left out: 1 x trip within"),
        ('<net version="1"/>', "that is a network"),
        ("<data/>", "that is an OD matrix"),
        ("<routes><trip", "not well-formed"),
        ("<!DOCTYPE routes><routes/>", "DOCTYPE"),
    ],
)
def test_what_holds_no_demand_is_one_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OD.replace("a c 0.75", "a zz 1"), "my.xml:8: zone 'zz' is no edge for cars"),
        (OD.replace("a c 0.75", "a c nan"), "my.xml:8: count is nan"),
        (OD.replace("a c 0.75", "a c -1"), "my.xml:8: count is -2"),
        (OD.replace("a c 0.75", "a c"), "my.xml:8: 'a c': give origin, destination and count"),
        (OD.replace("a c 0.75", "a c 1e9"), "more than 300000; scale the matrix down"),
        (OD.replace("8.00", "7.00"), "interval from 27000 s to 25200 s"),
        (OD.replace("8.00", "8.75"), "interval from 27000 s to nan s"),
        (OD.replace("7.30 8.00", "7.30"), "my.xml:3: after .OR: a line"),
        (OD.replace("$OR", "$VR"), "'.VR;D2' is not supported"),
        (OD.replace("$OR", "$OMR"), "without vehicle types"),
        ("$OR\n", "after .OR: a line"),
        ("$OR\n0.00 1.00\n1\n", "no trip from an edge to another"),
        ("$OR\n0.00 1.00\n1\na a 5\n", "no trip from an edge to another"),
        ("$OR\n" + "x" * 20_000, "longer than an OD matrix may be"),
        ("", "not well-formed"),
        ("<routes/>", "starts with <routes>"),
        ('<data><tazRelation from="a"/></data>', "no trip from an edge"),
        (
            '<data><interval begin="0" end="9"><tazRelation from="a" to="b"/></interval></data>',
            "my.xml:1: count is nan",
        ),
    ],
)
def test_a_faulty_matrix_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, text, kind="od")


@pytest.mark.parametrize(
    ("taz", "words"),
    [
        ('<tazs><taz id="a" edges="a"/></tazs>', "my.xml:7: zone 'b' is in none of the zone files"),
        (
            '<tazs><taz id="a" edges="zz"/><taz id="b" edges="b"/><taz id="c" edges="c"/></tazs>',
            "my.xml:7: zone 'a' has no sources that cars can use",
        ),
        ('<tazs><taz id="a"/>\n<taz id="a"/></tazs>', "my.taz.xml:2: taz 'a': no id, or defined"),
        ('<tazs><taz id="a"><tazSink id="a" weight="nan"/></taz></tazs>', "weight is 'nan'"),
        ("<net/>", "that is a network"),
    ],
)
def test_faulty_zones_are_refused(tmp_path: Path, taz: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, OD, kind="od", taz=taz)


def test_a_matrix_that_is_no_text_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "my.od"
    path.write_bytes(b"$OR\n\xff\xfe\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_demand(path, kind="od", edges=EDGES, rng=np.random.default_rng(0))


def test_what_is_stored_is_read_back_as_it_was(tmp_path: Path) -> None:
    first = read(
        tmp_path,
        """<routes><vType id="car" sigma="0"/>
        <flow id="f" end="60" number="7" from="a" to="b" type="car"/>
        <vehicle id="v" depart="1.239"><route edges="a c"/></vehicle></routes>""",
    )
    again = read(tmp_path, demand_file(first))
    assert again.trips == first.trips
    assert again.types == first.types


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12", 12.0), ("1e2", 100.0), ("0:1:2", 62.0), ("2:0:0:0.5", 172800.5), ("25:00:00", 90000.0)],
)
def test_times_are_seconds_or_clocks(text: str, seconds: float) -> None:
    assert time_s(text) == seconds


SEEDS = (
    '<routes><vType id="car" sigma="0.5"/><route id="r" edges="a b"/>'
    '<vehicle id="v" depart="0:00:01" route="r"/><flow id="f" begin="0" end="9" number="2" '
    'from="a" to="b"/><vehicle id="w" depart="3"><routeDistribution last="0"><route edges="c d"/>'
    "</routeDistribution></vehicle></routes>",
    '<data><interval begin="0" end="9"><tazRelation from="a" to="b" count="3"/></interval></data>',
    OD,
)


@given(
    seed=st.sampled_from(SEEDS),
    kind=st.sampled_from(["routes", "od"]),
    edits=st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 6), st.binary(max_size=6)), max_size=4
    ),
)
def test_mutated_files_raise_nothing_but_input_errors(
    tmp_path_factory: pytest.TempPathFactory,
    seed: str,
    kind: Kind,
    edits: list[tuple[int, int, bytes]],
) -> None:
    content = bytearray(seed.encode())
    for start, length, inserted in edits:
        content[start : start + length] = inserted
    path = tmp_path_factory.getbasetemp() / "mutated.xml"
    path.write_bytes(bytes(content))
    try:
        demand = read_demand(path, kind=kind, edges=EDGES, rng=np.random.default_rng(0))
    except InputError:
        return
    assert demand.trips
    assert {edge for t in demand.trips for edge in (t.origin, t.destination)} <= set(EDGES)
