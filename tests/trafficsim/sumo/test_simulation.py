"""Days in SUMO: the same day gives the same times, whatever happens to the processes."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ss_core.errors import InputError, SimulatorError
from tests.support.fault_counts import counted
from tests.support.small_nets import NOISY, ONE_ROUTE, QUIET, small_game, trips
from trafficsim.sumo.live_days import LiveDays
from trafficsim.sumo.process import SumoDied, SumoProcess, check_installed
from trafficsim.sumo.recording import record_day
from trafficsim.sumo.simulation import (
    RESTARTS,
    STALLS,
    Outcome,
    Scene,
    Simulator,
    SumoConfig,
    sumo_arguments,
    travel_times_s,
    types_xml,
)

pytestmark = pytest.mark.sumo
MIXED = [0, 1, 0, 0, 1, 0]
DAYS = [[0] * 6, [1] * 6, MIXED, [1, 0, 1, 0, 1, 0]]
Patch = pytest.MonkeyPatch


@pytest.fixture
def quiet(tmp_path: Path) -> Scene:
    return small_game(tmp_path, trips(6), sumo=SumoConfig(watchdog_s=20.0)).scene


@pytest.fixture
def noisy(tmp_path: Path) -> Scene:
    return small_game(tmp_path, trips(6, kind=NOISY), sumo=SumoConfig(watchdog_s=20.0)).scene


def played(
    scene: Scene, days: list[list[int]], *, seeds: list[int] | None = None, processes: int = 1
) -> list[Outcome]:
    with Simulator(scene, processes) as simulator:
        return simulator.play([np.array(day) for day in days], seeds or list(range(len(days))))


def assert_same(found: list[Outcome], expected: list[Outcome]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.arrival_s, other.arrival_s, equal_nan=True)
        assert np.array_equal(one.teleports, other.teleports)
        assert np.array_equal(one.link_speed_m_per_s, other.link_speed_m_per_s, equal_nan=True)
        assert (one.collisions, one.end_s) == (other.collisions, other.end_s)


def child_processes() -> list[int]:
    """SUMO processes that this one started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # ended meanwhile
        if b"trafficsim.sumo.server" in command and parent == os.getpid():
            found.append(int(entry.name))
    return found


# what a day is


def test_times_of_a_queue_are_those_of_the_closed_form(quiet: Scene) -> None:
    short, detour, _, _ = (travel_times_s(quiet, day) for day in played(quiet, DAYS))
    assert np.diff(short) == pytest.approx([3.0] * 5)  # 6 s of service less 3 s of headway
    assert detour == pytest.approx([detour[0]] * 6)
    assert short[0] >= 33.3
    assert detour[0] >= 40.0


def test_the_same_seed_gives_the_same_day_and_another_one_another(noisy: Scene) -> None:
    first = played(noisy, [MIXED] * 3, seeds=[5, 6, 5])
    assert_same(first[:1], first[2:])
    assert not np.array_equal(first[0].arrival_s, first[1].arrival_s)
    assert_same(played(noisy, [MIXED], seeds=[6]), first[1:2])


@pytest.mark.parametrize("kind", ["quiet", "noisy"])
def test_days_in_two_processes_are_those_in_one(kind: str, request: Any) -> None:
    scene = request.getfixturevalue(kind)
    assert_same(played(scene, DAYS, processes=2), played(scene, DAYS))


def test_a_day_from_a_saved_state_is_one_from_a_loaded_net(quiet: Scene) -> None:
    loaded = replace(quiet, is_deterministic=False)
    assert_same(played(quiet, DAYS + DAYS), played(loaded, DAYS + DAYS))


def test_a_mesoscopic_day_is_another_model_and_repeatable(quiet: Scene) -> None:
    meso = replace(quiet, sumo=replace(quiet.sumo, meso=True))
    once, again = played(meso, [MIXED, MIXED])
    assert_same([once], [again])
    assert once.finished.all()


def test_days_begin_at_the_first_departure_however_late(quiet: Scene) -> None:
    late = replace(quiet, depart_s=quiet.depart_s + 1_234_567.0)
    assert "1234567" in sumo_arguments(late)
    (day,), (usual,) = played(late, [MIXED]), played(quiet, [MIXED])
    assert np.array_equal(day.arrival_s - 1_234_567.0, usual.arrival_s)


def test_a_recorded_day_is_the_day_played(noisy: Scene, quiet: Scene) -> None:
    for scene in (quiet, noisy):
        with Simulator(scene) as simulator:
            before = simulator.play([np.array(MIXED)], [3])
            recording = record_day(simulator, np.array(MIXED), 3, 60.0)
            after = simulator.play([np.array(MIXED)], [3])
        assert_same([recording.outcome], before)
        assert_same(after, before)


# charges


def test_teleports_and_unfinished_trips_are_charged(quiet: Scene) -> None:
    outcome = Outcome(
        arrival_s=np.array([50.0, np.nan, 60.0, np.nan, 70.0, 80.0]),
        teleports=np.array([0, 0, 2, 1, 0, 0]),
        collisions=0,
        link_speed_m_per_s=np.zeros((0, 5)),
        link_vehicles=np.zeros((0, 5)),
        end_s=3615.0,
    )
    # departures at 0, 3, … 15; the day ends 3600 s after the last; a teleport costs 300 s
    assert travel_times_s(quiet, outcome).tolist() == [50, 3612, 54 + 600, 3606 + 300, 58, 65]
    counted("F14")


def test_a_day_that_is_cut_off_charges_those_still_under_way(tmp_path: Path) -> None:
    scene = small_game(tmp_path, trips(6), sumo=SumoConfig(longest_s=23.0)).scene
    (day,) = played(scene, [[0] * 6])
    assert day.finished.tolist() == [True, False, False, False, False, False]
    assert day.end_s == 38.0
    assert travel_times_s(scene, day)[1:].tolist() == [35.0, 32.0, 29.0, 26.0, 23.0]


def test_vehicles_that_sumo_moves_on_are_counted_and_charged(tmp_path: Path) -> None:
    creeping = replace(QUIET, attributes=(*QUIET.attributes, ("maxSpeed", "0.05")))  # stands still
    sumo = SumoConfig(time_to_teleport_s=20.0)
    scene = small_game(tmp_path, trips(2, kind=creeping), net=ONE_ROUTE, sumo=sumo).scene
    (day,) = played(scene, [[0] * 2])
    assert (day.teleports >= 2).all()  # from edge to edge
    driven_s = day.arrival_s - scene.depart_s
    assert np.array_equal(travel_times_s(scene, day), driven_s + 20.0 * day.teleports)


# processes that die, hang or were never there


def once(action: Callable[[SumoProcess], None]) -> Callable[[SumoProcess], None]:
    done: list[int] = []

    def act(process: SumoProcess) -> None:
        if not done:
            done.append(process.pid)
            action(process)

    return act


def before(name: str, patch: Patch, act: Callable[[SumoProcess], None]) -> None:
    """Do something to the process each time before its method is called."""
    method = getattr(SumoProcess, name)

    def changed(process: SumoProcess, *arguments: Any) -> Any:
        act(process)
        return method(process, *arguments)

    patch.setattr(SumoProcess, name, changed)


def send_signal(number: int) -> Callable[[SumoProcess], None]:
    return lambda process: os.kill(process.pid, number)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("name", ["ask", "send", "receive"])
def test_a_killed_process_is_replaced_and_plays_the_same_day(
    name: str, processes: int, noisy: Scene, monkeypatch: Patch
) -> None:
    expected = played(noisy, DAYS)
    before(name, monkeypatch, once(send_signal(signal.SIGKILL)))
    with Simulator(noisy, processes) as simulator:
        found = simulator.play([np.array(day) for day in DAYS], range(4))
        assert simulator.restarts == 1
    assert_same(found, expected)
    counted("F13")


def test_processes_killed_while_idle_are_replaced(noisy: Scene) -> None:
    with Simulator(noisy, 2) as simulator:
        days = [np.array(day) for day in DAYS]
        expected = simulator.play(days, range(4))
        for pid in child_processes():
            os.kill(pid, signal.SIGKILL)
        assert_same(simulator.play(days, range(4)), expected)
        assert simulator.restarts == 2
    counted("F13", 2)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_hanging_process_is_noticed_and_replaced(
    processes: int, noisy: Scene, monkeypatch: Patch
) -> None:
    expected = played(noisy, DAYS)
    impatient = replace(noisy, sumo=replace(noisy.sumo, watchdog_s=2.0))
    before("receive", monkeypatch, once(send_signal(signal.SIGSTOP)))
    with Simulator(impatient, processes) as simulator:
        assert_same(simulator.play([np.array(day) for day in DAYS], range(4)), expected)
        assert simulator.restarts == 1
    assert child_processes() == []
    counted("F13")


def test_a_process_that_does_not_read_is_noticed_and_closed() -> None:
    process = SumoProcess(1.0)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(SumoDied, match="no sign of life"):
        process.send({"do": "open", "much": "x" * 1_000_000})  # more than a pipe holds
    process.close()
    assert child_processes() == []


def test_a_day_on_which_every_process_dies_is_given_up(noisy: Scene, monkeypatch: Patch) -> None:
    before("receive", monkeypatch, send_signal(signal.SIGKILL))
    with Simulator(noisy, 2) as simulator:
        with pytest.raises(SimulatorError, match=f"{RESTARTS + 1} times"):
            simulator.play([np.array(MIXED)], [0])
        assert simulator.restarts == RESTARTS + 1
    assert child_processes() == []


def test_what_sumo_refuses_is_said_in_its_words_and_nothing_is_left(quiet: Scene) -> None:
    wrong = replace(quiet, routes=(("entry", "nowhere"), *quiet.routes[1:]))
    descriptors = len(os.listdir("/proc/self/fd"))
    with Simulator(wrong, 2) as simulator, pytest.raises(SimulatorError, match="nowhere"):
        simulator.play([np.array(MIXED)] * 3, [0] * 3)
    broken = replace(quiet, net=str(Path(quiet.net).with_name("absent.net.xml")))
    with Simulator(broken) as simulator, pytest.raises(SimulatorError, match=r"absent\.net\.xml"):
        simulator.play([np.array(MIXED)], [0])
    assert child_processes() == []
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_nothing_is_left_of_a_simulator(noisy: Scene, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    descriptors = len(os.listdir("/proc/self/fd"))
    played(noisy, DAYS, processes=2)
    with pytest.raises(SimulatorError), Simulator(noisy, 2) as simulator:
        simulator.play([np.array(day) for day in [*DAYS, [9] * 6]], range(5))
    assert child_processes() == []
    assert os.listdir(tmp_path / "temporary") == []
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_files_where_it_is_started_are_not_mistaken_for_modules(
    quiet: Scene, tmp_path: Path, monkeypatch: Patch
) -> None:
    for name in ("json.py", "signal.py", "libsumo.py", "trafficsim.py"):
        (tmp_path / name).write_text("raise SystemExit('not this one')\n")
    monkeypatch.chdir(tmp_path)
    (day,) = played(quiet, [MIXED])
    assert day.finished.all()


def test_a_missing_sumo_is_named_with_what_to_install(monkeypatch: Patch) -> None:
    check_installed()
    monkeypatch.setattr("trafficsim.sumo.process.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r'pip install "suggestion-sharing\[traffic\]"'):
        check_installed()


def test_a_sumo_that_cannot_be_imported_is_told_in_its_own_words(
    quiet: Scene, tmp_path: Path, monkeypatch: Patch
) -> None:
    (tmp_path / "broken").mkdir()
    text = "raise ImportError('libGLU.so.1: cannot open shared object file')\n"
    (tmp_path / "broken/libsumo.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "broken")
    with Simulator(quiet) as simulator, pytest.raises(SimulatorError, match=r"libGLU\.so\.1"):
        simulator.play([np.array(MIXED)], [0])


def test_a_process_ends_when_its_parent_is_killed(quiet: Scene) -> None:
    code = (
        "import sys, time\n"
        "from trafficsim.sumo.process import SumoProcess\n"
        "process = SumoProcess(20.0)\n"
        "assert 'error' not in str(process.ask({'do': 'open', 'arguments': [], 'additional': '',"
        " 'routes': [], 'vehicles': [], 'watched': [], 'interval_s': 60.0, 'begin_s': 0.0,"
        " 'cap_s': 1.0, 'state_file': ''}))\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)  # not even then does it stay
        parent.kill()
        parent.wait()
    for _ in range(500):
        if not Path(f"/proc/{pid}/cmdline").exists() or not is_running(pid):
            return
        subprocess.run(["sleep", "0.01"], check=True)
    pytest.fail("still running")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # ended; whoever adopted it has not asked yet


# settings


def test_vehicle_types_are_written_with_their_attributes_quoted() -> None:
    kind = replace(NOISY, type_id='"<car>&"')
    assert types_xml([kind]) == (
        "<additional>\n"
        '<vType id=\'"&lt;car&gt;&amp;"\' sigma="0.5" speedDev="0.1"/>\n'
        "</additional>\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("longest_s", 0.0), ("watchdog_s", 0.5), ("interval_s", 4.0), ("time_to_teleport_s", np.nan)],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        SumoConfig(**{name: value})  # pyright: ignore[reportArgumentType] - fields of numbers


# a second that never ends


def stuck_scene(folder: Path) -> Scene:
    """Vehicle v3 departs at 9 s; `tests.support.stuck_day` does not get beyond it."""
    drivers = trips(6)
    named = tuple(replace(trip, trip_id=f"v{n}") for n, trip in enumerate(drivers.trips))
    sumo = SumoConfig(watchdog_s=20.0, stall_s=1.0)
    return small_game(folder, replace(drivers, trips=named), sumo=sumo).scene


@pytest.mark.parametrize("processes", [1, 2])
def test_a_stuck_day_is_named_with_its_second_and_vehicle(tmp_path: Path, processes: int) -> None:
    scene = stuck_scene(tmp_path)
    server = "tests.support.stuck_day"
    with Simulator(scene, processes, server=server) as simulator:
        with pytest.raises(SimulatorError, match=r"no progress in second 10 .* vehicle 'v3' was"):
            simulator.play([np.array(MIXED)] * 3, [0, 1, 2])
        assert simulator.restarts >= STALLS
    live = Simulator(scene, 1, server=server)
    with live, closing(LiveDays(live)) as days:
        days.begin([np.array(MIXED)], [0])
        with pytest.raises(SimulatorError, match=r"vehicle 'v3' .* take it out of the demand"):
            days.advance(30.0, [[]])


def test_without_the_vehicle_that_was_named_the_day_is_driven(tmp_path: Path) -> None:
    kept = tuple(trip for trip in trips(6).trips if trip.trip_id != "d3")
    scene = stuck_scene(tmp_path)
    scene = small_game(tmp_path, replace(trips(6), trips=kept), sumo=scene.sumo).scene
    with Simulator(scene, 1, server="tests.support.stuck_day") as simulator:
        (day,) = simulator.play([np.array([0] * 5)], [0])
    assert day.finished.all()


def test_by_default_a_stuck_day_is_named_within_twenty_seconds() -> None:
    start_s = 3.0
    assert STALLS * (SumoConfig().stall_s + start_s) <= 20.0
