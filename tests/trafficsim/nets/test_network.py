"""The preflight of road networks: counts worked by hand, every fault found with its line."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.errors import InputError
from ss_core.resources import data_path
from trafficsim.nets.network import MAX_PROBLEMS, car_arcs, largest_part, preflight
from trafficsim.nets.read import Connection, Edge, Lane
from trafficsim.nets.safe_xml import MAX_FILE_BYTES, MAX_TOKEN_BYTES

# Two junctions, a street each way (100 m and 150 m); cars turn round at both ends.
RING = """<net version="1.20">
<edge id="ab" from="a" to="b">
<lane id="ab_0" index="0" speed="13.9" length="100" shape="0,0 100,0"/>
<lane id="ab_1" index="1" speed="13.9" length="100" shape="0,0 100,0" allow="bicycle"/>
</edge>
<edge id="ba" from="b" to="a">
<lane id="ba_0" index="0" speed="13.9" length="150" shape="100,0 0,0"/>
</edge>
<edge id=":b_0" function="internal">
<lane id=":b_0_0" index="0" speed="4" length="0.1" shape="100,0 100,1"/>
</edge>
<tlLogic id="b" type="static" programID="0" offset="0">
<phase duration="42" state="G"/>
</tlLogic>
<junction id="a" type="priority"/>
<junction id="b" type="traffic_light"/>
<connection from="ab" to="ba" fromLane="0" toLane="0" via=":b_0_0" tl="b" linkIndex="0"/>
<connection from="ba" to="ab" fromLane="0" toLane="0"/>
<connection from=":b_0" to="ba" fromLane="0" toLane="0"/>
</net>
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "my.net.xml"
    path.write_text(text)
    return path


def test_a_sound_net_is_summed_up_without_problems(tmp_path: Path) -> None:
    report = preflight(write(tmp_path, RING))
    assert report.summary() == {
        "junctions": 2,
        "edges": 2,
        "lanes": 3,
        "road_km": 0.25,
        "traffic_lights": 1,
        "car_edges": 2,
        "connected_percent": 100.0,
    }
    assert report.problems == report.notes == ()


def test_the_shipped_grid_is_sound() -> None:
    report = preflight(data_path("nets/grid_3x3.net.xml"))
    # 12 neighbouring pairs of junctions, two directions each, 200 m less the junctions' insides
    assert (report.junctions, report.edges, report.traffic_lights) == (9, 24, 9)
    assert report.problems == ()
    assert report.connected_percent == 100.0


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('speed="13.9" length="150"', 'speed="13.9" length="NaN"', 7, "length is nan"),
        ('speed="13.9" length="150"', 'speed="-1" length="150"', 7, "speed is -1"),
        ('speed="13.9" length="150"', 'speed="inf" length="150"', 7, "speed is inf"),
        ('speed="13.9" length="150"', 'speed="1e308" length="150"', 7, "at most 1000"),
        ('speed="13.9" length="150"', 'speed="13.9" length="1e308"', 7, "at most 1e+06"),
        ('length="150"', 'length="1_0"', 7, "length is nan"),
        ('id="ab_1" index="1"', 'id="ab_1" index="2"', 4, "has index 2 where 1 is due"),
        ('id="ab_1" index="1"', 'id="ab_1"', 4, "has no index"),
        (' shape="100,0 0,0"', "", 7, "no line of two points"),
        (' shape="100,0 0,0"', ' shape="100,0 nan,0"', 7, "no line of two points"),
        ('to="b">', 'to="nowhere">', 2, "to junction 'nowhere' does not exist"),
        ('from="b" to="a">', 'to="a">', 6, "lacks the attribute 'from'"),
        ('id="ba" from', 'id="b a" from', 6, "no route can name"),
        ('id="ba" from', 'id="ba" function="odd" from', 6, "function 'odd' is unknown"),
        ('<junction id="b"', '<junction id="a"', 16, "was defined in line 15 already"),
        ('id=":b_0" function', 'id="ab" function', 9, "'ab' was defined in line 2 already"),
        ('fromLane="0" toLane="0"/>', 'fromLane="1" toLane="0"/>', 18, "lane 1; it has 1 lanes"),
        ('fromLane="0" toLane="0"/>', 'toLane="0"/>', 18, "without a lane number"),
        ('from="ba" to="ab"', 'from="ba" to="xy"', 18, "to edge 'xy', which does not exist"),
        ('tl="b"', 'tl="c"', 17, "traffic light 'c', which has no tlLogic"),
        (' linkIndex="0"', ' linkIndex="7"', 17, "with linkIndex 7; its phases have 1"),
        (' linkIndex="0"', "", 17, "without a linkIndex"),
        ('via=":b_0_0"', 'via=":b_9_0"', 17, "via lane ':b_9_0', which does not exist"),
        (' via=":b_0_0"', "", 10, "no connection leads via internal lane ':b_0_0'"),
        ('toLane="0"/>', 'toLane="0" via=":b_0_0"/>', 18, "as another one is"),
        ('from=":b_0"', 'from="ba"', 10, "internal lane ':b_0_0' leads nowhere"),
        ('<junction id="a"', '<lane/><junction id="a"', 15, "<lane> is out of place here"),
        ('<lane id=":b_0_0"', '<connection/><lane id=":b_0_0"', 10, "<connection> is out of"),
        ('<phase duration="42" state="G"/>', "", 12, "has no phase"),
        ('type="static"', 'type="off"', 12, "netconvert -s NET --tls.unset b -o without"),
        ('programID="0"', 'programID="off"', 12, "move the element to an additional file"),
        ('duration="42"', 'duration="-42"', 13, "duration is '-42'"),
        ('duration="42"', 'duration="nan"', 13, "duration is 'nan'"),
        (
            '<edge id="ab"',
            '<connection from="ba" to="ab"/>\n<edge id="ab"',
            2,
            "line 7, further on",
        ),
        ("</net>", '<tlLogic id="b" type="static" programID="0"/></net>', 20, "in line 12 already"),
        (' version="1.20"', "", 1, "has no version"),
        (' version="1.20"', ' version="x"', 1, "has no version but 'x'"),
        ('<lane id="ba_0"', '<param id="ba_0"', 6, "has no lane"),
    ],
)
def test_a_fault_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    path = write(tmp_path, RING.replace(old, new, 1))
    problems = preflight(path).problems
    assert any(text.startswith(f"{path}:{line}: ") and words in text for text in problems), problems


def test_all_faults_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = RING.replace('length="100"', 'length="0"').replace('id="ba_0"', 'id="ab_0"')
    path = write(tmp_path, text)
    lines = [
        int(found.removeprefix(f"{path}:").split(":")[0]) for found in preflight(path).problems
    ]
    assert lines == [3, 4, 7]


def test_a_flood_of_faults_is_cut_off(tmp_path: Path) -> None:
    path = write(tmp_path, '<net version="1"><edge/>' + "<edge/>" * MAX_PROBLEMS + "</net>")
    problems = preflight(path).problems
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1] == f"{path}: more than {MAX_PROBLEMS} problems; the others are not listed"


def test_a_net_without_a_lane_for_cars_is_refused(tmp_path: Path) -> None:
    text = RING.replace('index="0"', 'index="0" disallow="passenger truck"')
    report = preflight(write(tmp_path, text))
    assert report.car_edges == 0
    assert report.problems == (
        f"{tmp_path}/my.net.xml:1: no edge has a lane that cars (passenger) may use",
    )


def test_a_net_in_which_no_edge_leads_to_another_is_refused(tmp_path: Path) -> None:
    text = "".join(line for line in RING.splitlines(keepends=True) if "connection" not in line)
    text = text.replace('function="internal"', 'function="crossing"')
    problems = preflight(write(tmp_path, text)).problems
    assert len(problems) == 1
    assert problems[0].endswith("no trip is possible")


def test_programs_under_one_id_and_a_rail_signal_without_phases_are_fine(tmp_path: Path) -> None:
    second = '<tlLogic id="b" type="actuated" programID="1"><phase duration="0:0:9" state="G"/>'
    text = RING.replace("<junction", f"{second}</tlLogic><junction", 1)
    text = text.replace('"a" type="priority"', '"a" type="rail_signal"')
    text = text.replace('toLane="0"/>', 'toLane="0" tl="a" linkIndex="0"/>')
    assert preflight(write(tmp_path, text)).problems == ()


def test_a_one_way_dead_end_is_a_note_not_a_problem(tmp_path: Path) -> None:
    text = RING.replace('<connection from="ba" to="ab" fromLane="0" toLane="0"/>', "")
    report = preflight(write(tmp_path, text))
    assert report.problems == ()
    assert report.connected_percent == 50.0
    assert report.notes[0].startswith("1 of 2 car edges")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not well-formed"),
        (b"<net><edge", "not well-formed"),
        (b"<routes/>", "starts with <routes>"),
        (b'<!DOCTYPE net [<!ENTITY x "y">]><net>&x;</net>', "refused"),
        (b'<!DOCTYPE net SYSTEM "file:///etc/hostname"><net/>', "refused"),
        (b"<net>" + b"<param>" * 40, "nested deeper"),
        (b'<net a="' + b"x" * (MAX_TOKEN_BYTES + 200_000), "longer than"),
        (b'<net v="1"' + b" " * 3_000_000 + b"/>", "longer than"),
        (b"\x1f\x8b\x08\x00", "damaged compressed file"),
        pytest.param(
            gzip.compress(b"<net>" * 9, mtime=0)[:-9], "damaged compressed file", id="cut short"
        ),
        pytest.param(gzip.compress(b"<routes/>", mtime=0), "starts with <routes>", id="packed"),
        pytest.param(
            gzip.compress(b"<net>" + b" " * (MAX_FILE_BYTES + 1), mtime=0),
            "more than 100 MiB",
            id="packed bomb",
        ),
        (b'<?xml version="1.0" encoding="nonsense"?><net/>', "my.net.xml:1: encoding"),
        (b"\x00\x01\x02\xff", "not well-formed"),
    ],
)
def test_what_is_not_a_plain_net_is_one_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "my.net.xml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        preflight(path)


def test_a_compressed_net_is_the_net(tmp_path: Path) -> None:
    plain = data_path("nets/grid_3x3.net.xml")
    packed = tmp_path / "grid.net.xml.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert preflight(packed).summary() == preflight(plain).summary()


@pytest.mark.parametrize("name", [".", "absent.net.xml"])
def test_a_folder_or_a_missing_file_is_one_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"give a"):
        preflight(tmp_path / name)


@given(st.integers(2, 8), st.integers(0, 8))
def test_a_ring_with_a_tail_is_connected_as_far_as_the_ring_goes(ring: int, tail: int) -> None:
    lane = Lane("x", 1.0, 1.0, None, frozenset(), 1)
    edges = [Edge(str(index), "a", "b", "", 1, [lane]) for index in range(ring + tail)]
    pairs = [(index, (index + 1) % ring) for index in range(ring)]
    pairs += [(index - 1, index) for index in range(ring, ring + tail)]
    arcs = [Connection(str(source), str(target), 0, 0, None, 1) for source, target in pairs]
    share = largest_part(len(edges), car_arcs(edges, arcs))
    assert share == pytest.approx(ring / (ring + tail))
