"""The command lines as their users meet them: streams, exit codes, errors, what `--help` loads."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from cli.__main__ import cli as everything
from cli.app import run
from cli.commands import grid as ssgrid
from cli.commands.doctor import TWO_BUS_NET, two_bus_voltage_pu
from cli.commands.traffic import cli as sstraffic
from cli.options import Number, NumberOrAuto
from cli.render import Progress, print_result, print_table
from cli.run_command import COMMON_OPTIONS, GROUPS
from cli.settings import from_environment, from_file, scenario_request
from cli.ss import cli as ss
from ss_core.config import parse_budget
from ss_core.errors import CheckFailedError, ConfigError, InputError, Interrupted
from ss_core.resources import data_path

HEAVY = ("torch", "numpy", "pandapower", "pandas", "pyarrow", "sumo", "libsumo", "traci", "scipy")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SS_")]:
        monkeypatch.delenv(name)


def failing(error: BaseException) -> click.Command:
    @click.command("failing")
    def command() -> None:
        raise error

    return command


def commands_below(
    command: click.Command, *names: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and all below it, with the words that call each."""
    yield names, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context := click.Context(command)):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands_below(below, *names, name)


NUMBERS = [
    (*words, option.opts[0])
    for words, command in commands_below(everything)
    for option in command.params
    if isinstance(option.type, (click.types.FloatParamType, NumberOrAuto))
]


# errors and exit codes


@pytest.mark.parametrize("text", ["nan", "-NaN", "inf"])
@pytest.mark.parametrize("words", NUMBERS, ids=" ".join)
def test_an_option_that_takes_a_number_takes_a_finite_one(
    words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    *command, option = words
    assert run(everything, "cli", [*command, f"{option}={text}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert f"Invalid value for '{option}'" in line
    assert f"'{text}' is no finite number; give " in line


def test_max_hours_and_others_are_among_the_numbers() -> None:
    assert {words[-1] for words in NUMBERS} >= {"--max-hours", "--share", "--fps", "--liars"}
    assert isinstance(Number(0, 1).convert("0.5", None, None), float)


@pytest.mark.parametrize(
    ("error", "exit_code", "line"),
    [
        (ConfigError("seed: is -1"), 3, "SS-E300: seed: is -1\n"),
        (InputError("a.json: line 3"), 3, "SS-E310: a.json: line 3\n"),
        (CheckFailedError("two files differ"), 7, "SS-E700: two files differ\n"),
        (Interrupted("saved", 15), 143, "SS-I130: saved\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (OSError(28, "No space left on device"), 6, "SS-E600: out of memory or disk"),
        (MemoryError(), 6, "SS-E600: out of memory or disk"),
        (ValueError("odd\nthing"), 1, "SS-E001: internal error: ValueError: odd thing; run again"),
        (click.UsageError("no such thing"), 2, "Error: no such thing"),
    ],
)
def test_a_failure_is_one_line_and_its_exit_code(
    error: BaseException, exit_code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(failing(error), "failing", []) == exit_code
    streams = capsys.readouterr()
    assert streams.out == ""
    assert line in streams.err
    assert "Traceback" not in streams.err


@pytest.mark.parametrize("arguments", [["--debug", "feeders"], ["feeders", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_name: str) -> Path:
        raise ValueError("broken")

    monkeypatch.setattr("ss_core.resources.data_path", broken)
    assert run(ssgrid.cli, "ssgrid", arguments) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_closed_pipe_is_no_news() -> None:
    code = "from cli.commands.grid import main; main()"
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        cwd=Path(ssgrid.__file__).parents[2],
        stdout=write_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_end)
    assert done.stderr == b""


# what --help loads

MODULES = {"ss": "cli.ss", "ssgrid": "cli.commands.grid", "sstraffic": "cli.commands.traffic"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["ssgrid", "--help"],
        ["ssgrid", "run", "--help"],
        ["ssgrid", "--version"],
        ["ss", "--help"],
        ["ss", "doctor", "--help"],
        ["sstraffic", "net", "--help"],
    ],
)
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    program, *rest = arguments
    code = (
        f"import sys; from cli.app import run; from {MODULES[program]} import cli\n"
        f"assert run(cli, {program!r}, {rest!r}) == 0\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(ssgrid.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == "[]"
    assert program in done.stdout


def test_one_command_leads_to_all_three() -> None:
    result = CliRunner().invoke(everything, ["grid", "run", "--help"])
    assert "--households" in result.output
    listed = CliRunner().invoke(everything, ["--help"]).output
    assert all(name in listed for name in ("grid", "ss", "traffic"))


# the request that ssgrid run makes


def request_of(*arguments: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    taken: dict[str, Any] = {}

    @click.command("run", params=ssgrid.cli.commands["run"].params)
    @click.pass_context
    def spy(ctx: click.Context, /, **options: Any) -> None:
        taken.update(
            scenario_request(
                ctx,
                options,
                (
                    "households",
                    "feeder",
                    "kva_per_household",
                    "days",
                    "neighbours",
                    *COMMON_OPTIONS,
                ),
            )
        )

    result: Result = CliRunner().invoke(spy, list(arguments), env=env, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return taken


def test_without_arguments_nothing_is_overridden() -> None:
    request = request_of()
    assert request == {
        "preset": "tuned",
        "overrides": {},
        "origins": {},
        "out": "runs",
        "resume": "auto",
        "dry_run": False,
    }


def test_flag_beats_variable_beats_file(tmp_path: Path) -> None:
    (tmp_path / "ss.toml").write_text(
        "households = 10\nseed = 1\ndays = 3\n[learner]\ngamma = 0.9\n"
    )
    request = request_of("--households", "30", env={"SS_HOUSEHOLDS": "20", "SS_SEED": "2"})
    assert request["overrides"] == {"households": 30, "seed": 2, "days": 3, "learner.gamma": 0.9}
    assert request["origins"] == {
        "households": "--households",
        "seed": "variable SS_SEED",
        "days": "file ss.toml",
        "learner.gamma": "file ss.toml",
    }


def test_set_reads_toml_values_and_plain_words() -> None:
    request = request_of("--set", "learner.gamma=0.5", "--set", "tariff=winter", "--set", "a.b=[1]")
    assert request["overrides"] == {"learner.gamma": 0.5, "tariff": "winter", "a.b": [1]}
    assert request["origins"]["a.b"] == "--set a.b"


def test_a_preset_in_a_file_is_the_preset(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('preset = "paper"\nbudget = "2min"\n')
    request = request_of("--config", "my.toml")
    assert request["preset"] == "paper"
    assert request["overrides"] == {"budget": {"seconds": 120.0}}


def test_dotted_variables_are_settings_and_others_are_not() -> None:
    environ = {"SS_LEARNER__GAMMA": "0.98", "SS_SEED": "3", "PATH": "/bin", "SS_ODD__": "1"}
    assert from_environment(("seed",), environ).values == {"learner.gamma": 0.98}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", {"seconds": 90.0}),
        ("1.5min", {"seconds": 90.0}),
        ("300", {"updates": 300}),
        ("300updates", {"updates": 300}),
        ("4800episodes", {"episodes": 4800}),
    ],
)
def test_a_budget_has_one_unit(text: str, expected: dict[str, float]) -> None:
    assert parse_budget(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-3", "ten", "3.5", "90 days", "0s", "1e3"])
def test_a_budget_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="budget"):
        parse_budget(text)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = ", "not readable as TOML"),
        (b"\xff", "not readable as TOML"),
        (b"#" * 2**21, "larger than"),
    ],
)
def test_a_bad_settings_file_is_one_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        from_file(path)


def test_a_missing_settings_file_exits_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ssgrid.cli, "ssgrid", ["run", "--config", "absent.toml"]) == 3
    assert "SS-E300: absent.toml: no such file" in capsys.readouterr().err


def test_assignments_without_a_key_exit_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ssgrid.cli, "ssgrid", ["run", "--set", "gamma"]) == 3
    assert "expected PATH=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--households", "0"], ["--households", "x"], ["--hous"]])
def test_bad_flags_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ssgrid.cli, "ssgrid", ["run", *arguments]) == 2
    assert capsys.readouterr().out == ""


# what is printed


def test_a_table_off_a_terminal_is_aligned_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"kpi": "cost", "eur": 1.5}, {"kpi": "peak", "eur": None}], title="A day")
    assert capsys.readouterr().out == "A day\nkpi   eur\ncost  1.5\npeak    -\n\n"


def test_the_json_of_a_run_is_one_object_without_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_result({"run_dir": "runs/x", "tables": {"t": [{"a": float("nan")}]}}, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"schema": "ss.run/1", "run_dir": "runs/x", "tables": {"t": [{"a": None}]}}


def test_progress_off_a_terminal_starts_at_once_and_stays_rare(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Progress() as progress:
        for done in range(100):
            progress("training", done, 100)
        progress("training", 100, 100, "done")
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.splitlines() == ["training: 0 %", "training: 100 %  done"]


def test_quiet_means_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=True) as progress:
        progress("training", 0, 1)
    assert capsys.readouterr().err == ""


# the other commands


def test_feeders_are_listed_with_their_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ssgrid.cli, "ssgrid", ["feeders", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"] == "ss.feeders/1"
    connections = {row["feeder"]: row["house_connections"] for row in shown["feeders"]}
    assert connections["schutterwald_56"] == 56


def test_a_net_with_problems_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = data_path("nets/grid_3x3.net.xml").read_text()
    path = tmp_path / "bad.net.xml"
    path.write_text(text.replace('length="', 'length="-', 2))
    assert run(sstraffic, "sstraffic", ["net", str(path), "--json"]) == 3
    streams = capsys.readouterr()
    assert len(json.loads(streams.out)["problems"]) == 2
    assert "SS-E310" in streams.err


def test_a_shipped_net_is_checked_by_its_bare_file_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(sstraffic, "sstraffic", ["net", "grid.net.xml", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["file"] == str(data_path("nets/grid.net.xml"))
    assert shown["notes"][-1].startswith("net grid.net.xml: no such file in this folder")
    assert run(sstraffic, "sstraffic", ["net", "grid.net.xml"]) == 0
    assert "note: net grid.net.xml: no such file" in capsys.readouterr().out
    assert run(sstraffic, "sstraffic", ["net", "gird.net.xml"]) == 3
    assert "grid.net.xml, grid_3x3.net.xml" in capsys.readouterr().err


def test_runs_are_listed_even_when_one_is_corrupt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "manifest.json").write_text("{")
    assert run(ss, "ss", ["runs", "ls", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert (row["run"], row["status"]) == ("x", "corrupt")


def test_verify_of_a_folder_without_a_run_exits_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ss, "ss", ["verify", str(tmp_path)]) == 3
    assert "no run here" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_leaves_the_systems_ss_alone(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ss, "ss", ["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_SSGRID_COMPLETE" in script
    assert "_SS_COMPLETE" not in script


def test_the_doctors_power_flow_matches_the_closed_form() -> None:
    # R = 0.02 Ω, X = 0.008 Ω, 10 kW at 400 V: in per unit of 1 MVA |V₂| = 0.998748
    assert TWO_BUS_NET["p_mw"] == 0.01
    assert two_bus_voltage_pu() == pytest.approx(0.998748, abs=5e-7)


def test_options_of_a_run_stand_under_headings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ssgrid.cli, "ssgrid", ["run", "--help"]) == 0
    text = capsys.readouterr().out
    places = [text.index(f"\n{title}:") for title in ("World", *GROUPS)]
    assert places == sorted(places)
    assert text.index("--households") < places[1] < text.index("--algorithm") < places[2]
    assert places[-1] < text.index("--help")
