"""Runs from the command line to the table: every form of them, and every bad input."""

import errno
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq
import pytest

from gridsim.config import GridConfig, resolve
from gridsim.results.labels import LABELS
from gridsim.results.trace import traced_bytes
from gridsim.scenario import check
from ss_core.config import from_dict
from ss_core.errors import ConfigError, Interrupted
from ss_core.exchange.noise import epsilon_of
from ss_core.record.manifest import read_manifest, verify_run
from ss_core.record.run_directory import RunDirectory
from ss_core.record.schema import TABLES
from ss_core.report.labels import title_of
from ss_core.resources import data_path
from tests.support.grid_runs import only_run, ssgrid_run

SMALL = ("--households", "4", "--days", "1", "--budget", "3")
Streams = pytest.CaptureFixture[str]


pytestmark = pytest.mark.usefixtures("own_folder")


# forms of a run


@pytest.mark.parametrize(
    "options",
    [
        ("--algorithm", "independent", "--days", "2"),
        ("--algorithm", "centralised", "--feeder", "schutterwald_56"),
        ("--preset", "sampled", "--set", "learner.exchange.protocol=all"),
        ("--preset", "paper"),
        ("--set", "variant=quarter_hourly", "--set", "compare_selfish=false"),
        ("--neighbours", "50", "--set", "compare_selfish=false"),
        ("--households", "1"),
    ],
    ids=" ".join,
)
def test_every_form_of_a_run_ends_in_a_table_and_a_sealed_folder(
    options: Sequence[str], capsys: Streams
) -> None:
    assert ssgrid_run(*SMALL, *options, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    ((_, rows),) = result["tables"].items()
    assert {"asap", "nash", "optimum"} <= result["kpis"].keys()
    assert len(rows) == len(result["kpis"])
    assert all(a["steps_checked"] and a["max_dv_pu"] < 1e-6 for a in result["audit"].values())
    run = only_run(Path("runs"))
    assert read_manifest(run)["ss"]["status"] == "complete"
    assert verify_run(run) == []


@pytest.mark.parametrize(
    "options",
    [
        ("--algorithm", "independent"),
        ("--algorithm", "ss"),
        ("--algorithm", "centralised"),
        ("--algorithm", "vps"),
        ("--algorithm", "vps", "--set", "learner.vps_reward_model=true"),
        ("--algorithm", "vs"),
        ("--algorithm", "ps"),
        ("--set", "learner.algorithm=vps", "--households", "1"),
        ("--set", "learner.algorithm=ps", "--preset", "paper"),
        ("--set", "learner.algorithm=vs", "--set", "variant=quarter_hourly"),
    ],
    ids=" ".join,
)
def test_every_algorithm_is_trained_scored_and_traced_under_a_title_of_its_own(
    options: Sequence[str], capsys: Streams
) -> None:
    assert ssgrid_run(*SMALL, *options, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    run = only_run(Path("runs"))
    config = from_dict(GridConfig, read_manifest(run)["ss"]["config"], where="test")
    algorithm = config.learner.algorithm
    assert {algorithm, "independent"} <= result["kpis"].keys()
    ((_, rows),) = result["tables"].items()
    (row,) = (row for row in rows if row["policy"] == title_of(LABELS, algorithm))
    alone = algorithm == "independent" or config.households == 1
    assert (row["kB exchanged/household"] > 0.2) != alone  # sums of trial days: 0.1
    steps = pq.read_table(run / "traces" / "feeder_step").to_pandas()
    assert set(steps["algorithm"]) == {"asap", "nash", "independent", algorithm, "optimum"}
    assert title_of(LABELS, algorithm) in (run / "report.html").read_text()
    written = sum(path.stat().st_size for path in run.rglob("*.parquet"))
    assert written <= traced_bytes(config, check(config))


def test_ones_own_algorithm_is_trained_scored_and_shown_under_its_title(capsys: Streams) -> None:
    Path("my_grid_algorithm.py").write_text(
        "from ss_core.algorithms.algorithm import Algorithm\n"
        "from ss_core.algorithms.independent import ALGORITHM as ALONE\n"
        "ALGORITHM = Algorithm(name='mine', title='Mine, learned', description='own PPO',\n"
        "    crosses='nothing crosses', learn=ALONE.learn, judges_counterfactuals=True)\n"
    )
    own = ("--algorithm", "my_grid_algorithm:ALGORITHM")
    assert ssgrid_run(*SMALL, *own, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    ((_, rows),) = result["tables"].items()
    assert "Mine, learned" in [row["policy"] for row in rows]
    assert result["kpis"]["mine"] == result["kpis"]["independent"]
    run = only_run(Path("runs"))
    assert {path.name for path in (run / "tasks").iterdir()} == {
        "mine",
        "independent",
        "references",
        "same_information",
    }


def test_a_net_that_is_not_shipped_is_run_audited_and_kept(capsys: Streams) -> None:
    import pandapower
    from pandapower.networks import create_kerber_landnetz_freileitung_1

    pandapower.to_json(create_kerber_landnetz_freileitung_1(), "village.json")
    options = ("--feeder", "village.json", "--households", "12", "--set", "compare_selfish=false")
    assert ssgrid_run("--days", "1", "--budget", "2", *options, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["audit"].keys() == {"asap", "nash", "ss"}
    for audit in result["audit"].values():
        assert audit["steps_checked"] >= 1
        assert audit["steps_disputed"] == 0
        assert audit["max_dv_pu"] < 1e-7
        assert audit["energy_balance_mw"] < 1e-8
    run = only_run(Path("runs"))
    assert (run / "inputs/feeder.json").read_bytes() == Path("village.json").read_bytes()
    assert "inputs/feeder.json" in read_manifest(run)["ss"]["files"]


def test_more_households_than_house_connections_share_them_and_the_result_says_so(
    capsys: Streams,
) -> None:
    options = ("--feeder", "create_kerber_landnetz_kabel_2", "--households", "16")
    assert ssgrid_run("--days", "1", "--budget", "1", *options, "--json") == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any(
        note.startswith("16 households") and "14 house connections" in note for note in notes
    )


def test_steps_without_a_solution_are_incidents_and_gaps_not_figures(capsys: Streams) -> None:
    options = ("--kva-per-household", "0.1", "--households", "3", "--set", "compare_selfish=false")
    assert ssgrid_run(*SMALL, *options, "--json") == 0
    notes = " ".join(json.loads(capsys.readouterr().out)["notes"])
    unsolved = re.search(r"([0-9]+) steps without a solution", notes)
    assert unsolved is not None
    assert int(unsolved[1]) > 0
    run = only_run(Path("runs"))
    json.loads((run / "result.json").read_bytes(), parse_constant=pytest.fail)  # no NaN
    resources = {resource["name"]: resource for resource in read_manifest(run)["resources"]}
    incidents = pq.read_table([run / path for path in resources["incident"]["path"]]).to_pylist()
    keys = [tuple(row[key] for key in TABLES["incident"].key) for row in incidents]
    assert len(set(keys)) == len(keys) > 0
    assert {row["code"] for row in incidents} == {"SS-W210"}


def test_a_run_with_a_line_of_next_to_no_impedance_is_confirmed(capsys: Streams) -> None:
    import pandapower
    from pandapower.networks import create_kerber_landnetz_freileitung_1

    net = create_kerber_landnetz_freileitung_1()
    first = net.line.index[0]  # so short that pandapower's Newton-Raphson does not converge
    net.line.loc[first, ["length_km", "r_ohm_per_km", "x_ohm_per_km"]] = [1.0, 1e-9, 1e-9]
    pandapower.to_json(net, "short.json")
    options = ("--feeder", "short.json", "--households", "4", "--set", "compare_selfish=false")
    assert ssgrid_run("--days", "1", "--budget", "1", *options, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert any("1 line of next to no impedance is a closed switch" in n for n in result["notes"])
    audits = [*result["audit"].values()]
    assert sum(each["steps_checked"] for each in audits) == 3
    assert all(each["max_dv_pu"] < 1e-6 for each in audits)


def test_a_run_that_pandapower_confirms_nothing_of_says_so_and_exits_7(
    capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridsim.powerflow.audit.run_reference", lambda *_: False)
    options = ("--households", "4", "--set", "compare_selfish=false")
    nothing = "pandapower confirmed nothing: it found no solution of any of the 3 steps"
    assert ssgrid_run("--days", "1", "--budget", "1", *options) == 7
    streams = capsys.readouterr()
    assert nothing in streams.out
    assert "nan" not in streams.out
    run = only_run(Path("runs"))
    assert streams.err.splitlines()[-1].startswith(f"SS-E700: {run}: {nothing}")
    assert read_manifest(run)["ss"]["status"] == "complete"
    assert verify_run(run) == []
    assert ssgrid_run("--resume", str(run), "--json", quick=False) == 7
    streams = capsys.readouterr()
    assert all(a["max_dv_pu"] is None for a in json.loads(streams.out)["audit"].values())
    assert "SS-E700" in streams.err


@pytest.mark.usefixtures("no_tasks")
def test_a_gpu_is_refused_where_days_are_simulated_on_the_cpu(capsys: Streams) -> None:
    assert ssgrid_run("--device", "cuda") == 3
    assert "learns where its days are simulated: cpu" in capsys.readouterr().err


# bad input: one clear line, the exit code, nothing left behind


def net_with(change: str) -> str:
    """The path of a small net that is not in order."""
    import pandapower
    from pandapower.networks import create_kerber_landnetz_freileitung_1

    net = create_kerber_landnetz_freileitung_1()
    match change:
        case "island":
            net.line.loc[net.line.index[3], "in_service"] = False
        case "nan":
            net.load.loc[net.load.index[2], "p_mw"] = float("nan")
        case "negative":
            net.line.loc[net.line.index[0], "length_km"] = -0.1
        case "wild":
            net.load.loc[net.load.index[0], "p_mw"] = 1e6
    pandapower.to_json(net, f"{change}.json")
    return f"{change}.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("island", "unsupplied|not supplied|no path|island"),
        ("nan", "p_mw"),
        ("negative", "length_km"),
    ],
)
@pytest.mark.usefixtures("no_tasks")
def test_a_net_that_is_not_in_order_exits_3(change: str, words: str, capsys: Streams) -> None:
    assert ssgrid_run("--feeder", net_with(change), "--households", "4") == 3
    errors = capsys.readouterr().err
    assert "SS-E310" in errors
    assert re.search(words, errors)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("options", "exit_code", "words"),
    [
        (("--feeder", "atlantis"), 3, "neither a file nor a built-in feeder"),
        (("--feeder", "broken.json"), 3, "broken.json"),
        (("--feeder", "."), 3, "."),
        (("--set", "housholds=3"), 3, "did you mean 'households'"),
        (("--set", "learner.gama=0.9"), 3, "did you mean 'gamma'"),
        (("--config", "typo.toml"), 3, "did you mean 'gamma'"),
        (("--config", "torn.toml"), 3, "torn.toml: not readable as TOML"),
        (("--config", "absent.toml"), 3, "absent.toml: no such file"),
        (("--set", "households=many"), 3, "households"),
        (("--set", "learner.gamma=1.5"), 3, "gamma=1.5: between 0 and 1"),
        (("--set", "learner.hidden=3"), 3, "hidden"),
        (("--set", "tariff=3"), 3, "tariff"),
        (("--set", "seed=-1"), 3, "seed=-1"),
        (("--set", "days=0"), 3, "days=0: at least 1"),
        (("--set", "power_factor=nan"), 3, "power_factor"),
        (("--set", "device=abacus"), 3, "device"),
        (("--set", "trace=everything"), 3, "trace"),
        (("--set", "audit_steps=0"), 3, "audit_steps=0: at least 1"),
        (("--set", "regime=anarchy"), 3, "choose paper, gradient or norm"),
        (("--set", "preset=best"), 3, "choose tuned, paper or sampled"),
        (("--set", "workers=0"), 3, "workers"),
        (("--set", "workers=two"), 3, "workers"),
        (("--set", "kva_per_household=-1"), 3, "kva_per_household"),
        (("--set", "commit_every=0"), 3, "commit_every=0: at least 1"),
        (("--set", "variant=quarter_hourly", "--set", "learner.counterfactuals=true"), 3, "whole"),
        (("--households", "1", "--algorithm", "centralised"), 3, "needs two or more"),
        (("--households", "1", "--set", "learner.algorithm=centralised"), 3, "needs two or more"),
        (("--set", "learner.algorithm=imr"), 3, "algorithm='imr': no household tells"),
        (("--set", "learner.algorithm=qmix"), 3, "algorithm"),
        (("--algorithm", "vps", "--liars", "0.2"), 3, "algorithm='vps' sends none"),
        (("--algorithm", "ps", "--set", "learner.architecture=shared"), 3, "has no copies"),
        (("--budget", "0"), 3, "budget"),
        (("--budget", "soon"), 3, "budget"),
        (("--households", "0"), 2, "--households"),
        (("--days", "1.5"), 2, "--days"),
        (("--neighbours", "0"), 2, "--neighbours"),
        (("--resume", "nowhere"), 3, "no manifest.json"),
        (("--out", "file/runs"), 6, "file"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("no_tasks")
def test_bad_settings_are_one_clear_error_and_leave_nothing(
    options: Sequence[str], exit_code: int, words: str, capsys: Streams
) -> None:
    Path("broken.json").write_text('{"_module": "pandapower", "bus": ')
    Path("typo.toml").write_text("[learner]\ngama = 0.9\n")
    Path("torn.toml").write_text("[learner\n")
    Path("file").touch()
    assert ssgrid_run(*options, quick=False) == exit_code
    streams = capsys.readouterr()
    assert streams.out == ""
    assert words in streams.err
    assert "Traceback" not in streams.err
    assert "internal error" not in streams.err
    assert not Path("runs").exists()


@pytest.mark.usefixtures("no_tasks")
def test_a_dry_run_shows_every_setting_and_who_gave_it(capsys: Streams) -> None:
    options = ("--households", "7", "--set", "learner.gamma=0.5", "--dry-run", "--json")
    assert ssgrid_run(*options) == 0
    rows = json.loads(capsys.readouterr().out)["tables"]["settings"]
    settings = {row["setting"]: (row["value"], row["from"]) for row in rows}
    assert settings["households"] == (7, "--households")
    assert settings["learner.gamma"] == (0.5, "--set learner.gamma")
    assert settings["days"][1] == "preset or default"
    assert not Path("runs").exists()


# interruptions and resuming


def interrupted_run(monkeypatch: pytest.MonkeyPatch, *options: str) -> Path:
    """A run that was stopped before its tasks began."""

    def stop(*_: Any) -> NoReturn:
        raise Interrupted("stopped", 2)

    with monkeypatch.context() as patch:
        patch.setattr("ss_core.processes.child_tasks.run_tasks", stop)
        assert ssgrid_run(*SMALL, *options) == 130
    return only_run(Path("runs"))


def test_a_run_is_resumed_by_its_path_and_shown_again_when_complete(
    monkeypatch: pytest.MonkeyPatch, capsys: Streams
) -> None:
    run = interrupted_run(monkeypatch)
    assert read_manifest(run)["ss"]["status"] == "interrupted"
    capsys.readouterr()
    assert ssgrid_run("--resume", str(run), "--json", quick=False) == 0
    first = json.loads(capsys.readouterr().out)
    assert only_run(Path("runs")) == run
    sealed = (run / "manifest.json").read_bytes()
    assert ssgrid_run("--resume", str(run), "--json", quick=False) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["tables"] == first["tables"]
    assert "complete already" in again["notes"][-1]
    assert (run / "manifest.json").read_bytes() == sealed
    (run / "result.json").write_text("{")
    assert ssgrid_run("--resume", str(run), quick=False) == 5


@pytest.mark.usefixtures("no_tasks")
def test_a_run_is_not_resumed_with_other_settings_or_another_net(
    monkeypatch: pytest.MonkeyPatch, capsys: Streams
) -> None:
    text = data_path("feeders/kerber_dorfnetz.json").read_text()
    Path("net.json").write_text(text)
    run = interrupted_run(monkeypatch, "--feeder", "net.json")
    assert ssgrid_run("--resume", str(run), "--seed", "5") == 3
    assert "other settings" in capsys.readouterr().err
    Path("net.json").write_text(text + " ")
    assert ssgrid_run("--resume", str(run), quick=False) == 3
    assert "differs from the net this run began with" in capsys.readouterr().err


@pytest.mark.usefixtures("no_tasks")
def test_a_run_that_another_process_writes_exits_8(
    monkeypatch: pytest.MonkeyPatch, capsys: Streams
) -> None:
    run = interrupted_run(monkeypatch)
    with RunDirectory.open(run):
        assert ssgrid_run("--resume", str(run), quick=False) == 8
    assert "another process" in capsys.readouterr().err


def test_a_full_disk_exits_6_and_the_same_command_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: Streams
) -> None:
    from ss_core.record import atomic

    write, writes = atomic._write_durably, [0]

    def fill_up(path: Path, data: bytes) -> None:
        writes[0] += 1
        if writes[0] > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_write_durably", fill_up)
        assert ssgrid_run(*SMALL) == 6
    assert re.search(r"SS-E600.*No space left.*same command again", capsys.readouterr().err)
    assert ssgrid_run(*SMALL) == 0
    assert verify_run(only_run(Path("runs"))) == []


def test_the_privacy_spent_stands_in_the_manifest(capsys: Streams) -> None:
    noise = ("--set", "learner.exchange.noise=3", "--set", "compare_selfish=false")
    assert ssgrid_run(*SMALL, *noise, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    spent = read_manifest(only_run(Path("runs")))["ss"]["privacy"]["ss"]
    assert spent == result["privacy"]["ss"]
    assert spent["epsilon"] == epsilon_of(spent["releases"], 3.0, 1e-5)
    assert any(f"ε = {spent['epsilon']:.4g}" in note for note in result["notes"])


def test_a_run_with_liars_says_whom_it_does_not_trust(capsys: Streams) -> None:
    liars = ("--liars", "0.25", "--lie", "malformed", "--trust", "--set", "compare_selfish=false")
    assert ssgrid_run(*SMALL, *liars, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    run = only_run(Path("runs"))
    known = read_manifest(run)["ss"]["liars"]["ss"]
    assert known == result["liars"]["ss"]
    (note,) = (note for note in result["notes"] if "sent lies" in note)
    assert note.startswith(f"ss: 1 of 4 agents sent lies (malformed): {known['names'][0]}; ")
    assert f"{known['messages_refused']:,} messages were not taken" in note
    rows = pq.read_table(run / "tasks" / "ss" / "traces" / "incident").to_pylist()
    assert {row["code"] for row in rows} == {"SS-W110"}
    assert {row["entity_id"] for row in rows} == {*known["names"]}
    trust = pq.read_table(run / "tasks" / "ss" / "traces" / "trust").to_pylist()
    assert len(trust) == 4 * 3
    assert verify_run(run) == []


def test_instruments_run_with_roofs_and_batteries_and_other_variants_do_not() -> None:
    size = {"households": 4, "days": 1, "case": "summer-noon"}
    grid = check(resolve("tuned", {**size, "instruments": "all"}))
    assert grid.pv_kw is not None
    assert grid.pv_kw.max() > 0.0
    with pytest.raises(ConfigError, match=r"variant='per_job'.*population.pv_ownership=0"):
        check(resolve("tuned", {**size, "variant": "per_job"}))
