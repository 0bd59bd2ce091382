"""Files that mean harm or are no net at all: each refused in 5 s of CPU time and 1 GB of memory."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.errors import InputError
from tests.support.fault_counts import counted
from trafficsim.nets.network import preflight

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux sets them")

MB = 10**6
CPU_S = 5
REFUSED = 3

# preflight under limits: the memory of interpreter and libraries is not counted, their time is
CHILD = f"""
import resource, sys
from pathlib import Path
from ss_core.errors import InputError
from trafficsim.nets.network import preflight
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 2**30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_S}, {CPU_S}))
try:
    report = preflight(Path(sys.argv[1]))
except InputError as error:
    print(error)
    sys.exit({REFUSED})
print(*report.problems[:5], sep="\\n")
sys.exit({REFUSED} if report.problems else 0)
"""

SOUND = """<net version="1.20">
<edge id="ab" from="a" to="b">
<lane id="ab_0" index="0" speed="13.9" length="100" shape="0,0 100,0"/>
</edge>
<edge id="ba" from="b" to="a">
<lane id="ba_0" index="0" speed="13.9" length="100" shape="100,0 0,0"/>
</edge>
<junction id="a" type="priority"/>
<junction id="b" type="priority"/>
<connection from="ab" to="ba" fromLane="0" toLane="0"/>
<connection from="ba" to="ab" fromLane="0" toLane="0"/>
</net>
"""


def judge(path: Path | str) -> subprocess.CompletedProcess[str]:
    """What a process with limits says of the file; a signal would show as a negative code."""
    command = [sys.executable, "-c", CHILD, str(path)]
    root = Path(__file__).parents[2]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=root)


def assert_refused(path: Path | str, words: str) -> None:
    done = judge(path)
    assert done.returncode == REFUSED, (done.returncode, done.stderr[-500:])
    assert words in done.stdout
    assert done.stdout.startswith(str(path))
    assert len(done.stdout) < 4000


def write(path: Path, parts: Iterable[bytes]) -> Path:
    with path.open("wb") as file:
        file.writelines(parts)
    return path


def repeated(start: bytes, piece: bytes, end: bytes, size: int = 100 * MB) -> Iterator[bytes]:
    """`piece` over and over, up to `size` bytes."""
    block = piece * (MB // len(piece) + 1)
    yield start
    for _ in range(size // len(block)):
        yield block
    yield end


def numbered(piece: str, count: int) -> Iterator[bytes]:
    """`piece` with its number filled in, so that no two are the same."""
    yield b'<net version="1">'
    for first in range(0, count, 10_000):
        yield "".join(piece % number for number in range(first, first + 10_000)).encode()
    yield b"</net>"


def letters(number: int) -> str:
    """A name for each number."""
    return format(number, "x").translate(str.maketrans("0123456789", "ghijklmnop"))


def new_names(piece: str, count: int) -> Iterator[bytes]:
    yield b'<net version="1">'
    for first in range(0, count, 10_000):
        block = (piece % letters(number) for number in range(first, first + 10_000))
        yield "".join(block).encode()
    yield b"</net>"


def laughs() -> Iterator[bytes]:
    yield b'<!DOCTYPE net [<!ENTITY l0 "ha">'
    for level in range(1, 30):
        yield f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">'.encode()
    yield b"]><net>&l29;</net>"


HUGE: dict[str, tuple[Callable[[], Iterator[bytes]], str]] = {
    "attribute": (lambda: repeated(b'<net version="', b"1", b'"/>'), "one tag is longer"),
    "attribute of a lane": (
        lambda: repeated(b'<net version="1"><edge id="', b"x", b'"/></net>'),
        "one tag is longer",
    ),
    "comment": (lambda: repeated(b"<!--", b"x", b"--><net/>"), "one tag is longer"),
    "blanks in a tag": (lambda: repeated(b"<net ", b" ", b"/>"), "one tag is longer"),
    "text": (lambda: repeated(b'<net version="1">', b"x", b"</net>"), "no edge has a lane"),
    "lines": (lambda: repeated(b'<net version="1">', b"\n", b"</net>"), "no edge has a lane"),
    "tags": (lambda: repeated(b'<net version="1">', b"<a/>", b"</net>"), "elements"),
    "edges": (lambda: repeated(b'<net version="1">', b"<edge/>", b"</net>"), "elements"),
    "lanes": (lambda: repeated(b"<net><edge>", b"<lane/>", b"</edge></net>"), "elements"),
    "connections": (lambda: repeated(b"<net>", b"<connection/>", b"</net>"), "elements"),
    "tags in tags": (lambda: repeated(b"", b"<net>", b""), "nested deeper"),
    "attributes": (
        lambda: repeated(b"<net>", b"<a b='' c='' d='' e='' f='' g='' h='' i=''/>", b"</net>"),
        "elements",
    ),
    "names of tags": (lambda: new_names("<%s/>", 600_000), "different names"),
    "names of attributes": (lambda: new_names("<a %s=''/>", 600_000), "different names"),
    "classes": (
        lambda: repeated(
            b"<net><edge>", b"<lane allow='%s'/>" % (b"ab " * 500_000), b"</edge></net>", 90 * MB
        ),
        "more vehicle classes than there are",
    ),
    "edges, each of its own": (
        lambda: numbered('<edge id="e%d" from="x" to="y"><lane id="l"/></edge>', 390_000),
        "lane 'l' was defined in line 1 already",
    ),
    "junctions, all sound": (
        lambda: numbered('<junction id="%d" type="priority"/>', 790_000),
        "no edge has a lane that cars (passenger) may use",
    ),
    "connections to nowhere": (
        lambda: numbered('<connection from="%d" to="y" fromLane="0" toLane="0"/>', 790_000),
        "which does not exist",
    ),
    "phases": (
        lambda: repeated(
            b"<net version='1'><tlLogic id='a' type='static'>",
            b"<phase duration='1' state='G'/>",
            b"</tlLogic></net>",
            24 * MB,
        ),
        "no edge has a lane",
    ),
}


QUICK = ("attribute", "classes", "tags in tags")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in HUGE]
)
def test_what_is_huge_is_refused(tmp_path: Path, name: str) -> None:
    parts, words = HUGE[name]
    assert_refused(write(tmp_path / "huge.net.xml", parts()), words)
    counted("F9")


def test_a_quarter_of_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.net.xml"
    with path.open("wb") as file:
        file.write(SOUND.encode())
        file.truncate(250 * MB)
    assert_refused(path, "more than 100 MiB; cut it down")
    counted("F9")


SMALL: dict[str, tuple[bytes, str]] = {
    "billion laughs": (b"".join(laughs()), "DOCTYPE and entities are refused"),
    "outside file": (
        b'<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net>&x;</net>',
        "DOCTYPE and entities are refused",
    ),
    "outside grammar": (
        b'<!DOCTYPE net SYSTEM "http://127.0.0.1:9/x.dtd"><net/>',
        "DOCTYPE and entities are refused",
    ),
    "parameter entity": (
        b'<!DOCTYPE net [<!ENTITY % x SYSTEM "file:///dev/zero"> %x;]><net/>',
        "DOCTYPE and entities are refused",
    ),
    "unknown entity": (b'<net version="&x;"/>', "undefined entity"),
    "null bytes": (SOUND.replace("ab_0", "ab\0").encode(), ":3: not well-formed XML"),
    "nothing but null bytes": (bytes(1000), "not well-formed XML"),
    "truncated": (SOUND[:250].encode(), "not well-formed XML"),
    "nothing": (b"", ":1: not well-formed XML: no element found"),
    "two roots": (SOUND.encode() * 2, "junk after document element"),
    "latin-1 said to be UTF-8": (SOUND.replace('"a"', '"ä"').encode("latin-1"), ":2: not well-"),
    "UTF-16 said to be UTF-8": (
        ('<?xml version="1.0" encoding="UTF-8"?>' + SOUND).encode("utf-16"),
        "not well-formed XML",
    ),
    "UTF-16 cut within a letter": (SOUND.encode("utf-16")[:501], "not well-formed XML"),
    "UTF-7": (b'<?xml version="1.0" encoding="utf-7"?><net/>', "save it in UTF-8"),
    "escaped letters": (
        b'<?xml version="1.0" encoding="unicode_escape"?><net/>',
        "save it in UTF-8",
    ),
    "many bytes a letter": (b'<?xml version="1.0" encoding="cp932"?><net/>', "save it in UTF-8"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "damaged compressed file"),
    "zip": (b"PK\x03\x04" + bytes(50), "not well-formed XML"),
    "routes": (b"<routes/>", "starts with <routes>"),
    "a net within": (f"<a>{SOUND}</a>".encode(), "starts with <a>"),
    "empty": (b'<net version="1.20"/>', "no edge has a lane that cars (passenger) may use"),
    "no version": (SOUND.replace(' version="1.20"', "").encode(), ":1: <net> has no version"),
    "only walkers": (
        SOUND.replace("speed", 'allow="pedestrian" speed').encode(),
        "no edge has a lane that cars (passenger) may use",
    ),
    "in pieces": (
        SOUND.replace("<connection", "<param").encode(),
        "no connection leads cars from an edge to another",
    ),
    "edge defined twice": (SOUND.replace('"ba"', '"ab"').encode(), ":5: edge 'ab' was defined"),
    "lane defined twice": (SOUND.replace("ba_0", "ab_0").encode(), ":6: lane 'ab_0' was defined"),
    "junction defined twice": (
        SOUND.replace('"b" type', '"a" type').encode(),
        ":9: junction 'a' was defined in line 8",
    ),
    "gap between lanes": (SOUND.replace('index="0"', 'index="1"').encode(), ":3: lane 'ab_0' has"),
    "unknown lane": (SOUND.replace('toLane="0"', 'toLane="7"').encode(), ":10: connection to"),
    "unknown inner lane": (
        SOUND.replace('toLane="0"', 'toLane="0" via=":x_0"').encode(),
        ":10: connection via lane ':x_0', which does not exist",
    ),
    **{
        f"{quantity} of {value}": (
            SOUND.replace(f'{quantity}="{was}"', f'{quantity}="{value}"').encode(),
            f":3: lane 'ab_0': {quantity} is",
        )
        for quantity, was in (("length", "100"), ("speed", "13.9"))
        for value in ("nan", "-1", "0", "inf", "-inf", "1e308", "1e999", "", "0x10", "1_0", "fast")
    },
}


@pytest.mark.parametrize("name", SMALL)
def test_what_is_no_sound_net_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    content, words = SMALL[name]
    path = write(tmp_path / "my.net.xml", [content])
    try:
        problems = preflight(path).problems
    except InputError as error:
        problems = (str(error),)
    assert any(words in problem for problem in problems), problems
    assert all(problem.startswith(str(path)) for problem in problems)
    counted("F9")


@pytest.mark.parametrize("name", ["billion laughs", "parameter entity", "nothing but null bytes"])
def test_small_files_cannot_grow(tmp_path: Path, name: str) -> None:
    content, words = SMALL[name]
    assert_refused(write(tmp_path / "my.net.xml", [content]), words)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_sound_net_passes_in_each_encoding_that_sumo_reads(tmp_path: Path, encoding: str) -> None:
    done = judge(write(tmp_path / "my.net.xml", [SOUND.encode(encoding)]))
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "absent")
    for name in (".", "fifo", "loop", "dangling", "absent", "x" * 300, "fifo/below"):
        with pytest.raises(InputError, match=r"give a SUMO network"):
            preflight(tmp_path / name)
    for device in ("/dev/zero", "/dev/null", "/dev/tty"):
        with pytest.raises(InputError, match=r"give a SUMO network|No such"):
            preflight(Path(device))
    with pytest.raises(InputError, match="give a SUMO network"):
        preflight(Path("null\0byte"))
    counted("F9", 10)


@given(
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 8), st.binary(max_size=8)), max_size=5)
)
def test_mutated_nets_raise_nothing_but_input_errors(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int, bytes]]
) -> None:
    content = bytearray(SOUND.encode())
    for start, length, inserted in edits:
        content[start : start + length] = inserted
    path = write(tmp_path_factory.getbasetemp() / "mutated.net.xml", [bytes(content)])
    try:
        found = preflight(path)
    except InputError:
        return
    assert found.problems or 0 < found.car_edges <= found.edges
