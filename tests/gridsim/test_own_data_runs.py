"""Runs from meters, households and prices of one's own: what they change, what stops them."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from cli.app import run
from cli.commands import grid as ssgrid
from gridsim.config import GridConfig, resolve
from gridsim.households.households import JobKind
from gridsim.scenario import check, prepare
from gridsim.stage import set_stage, trial_days, with_copies
from ss_core.errors import ConfigError
from tests.support.grid_runs import only_run, ssgrid_run
from tests.support.own_files import write_meters, write_prices

SMALL = ("--days", "1", "--budget", "1", "--set", "compare_selfish=false")
Streams = pytest.CaptureFixture[str]


pytestmark = pytest.mark.usefixtures("own_folder")


def template(*options: str) -> int:
    return run(ssgrid.cli, "ssgrid", ["template", "households", *options])


def cut(path: Path, rows: int) -> Path:
    """The first rows of a table."""
    path.write_text("\n".join(path.read_text().splitlines()[: rows + 1]) + "\n")
    return path


# what files change


def test_a_run_from_all_three_files_says_what_it_read_and_joins_with_the_prices(
    capsys: Streams,
) -> None:
    assert template("--out", "households.csv") == 0
    cut(Path("households.csv"), 4)
    write_meters(Path("meter.csv"), [f"household_{n:03d}" for n in (3, 2, 1, 0, 4)])
    write_prices(Path("prices.csv"))
    files = ("--households-file", "households.csv", "--meter", "meter.csv")
    capsys.readouterr()
    options = (*files, "--prices", "prices.csv", "--date", "2025-01-07", "--json")
    assert ssgrid_run(*SMALL, *options) == 0
    result = json.loads(capsys.readouterr().out)
    said = "\n".join(result["notes"])
    assert "4 households at 4 buses of kerber_dorfnetz, as households.csv says" in said
    assert "meter.csv: 5 meters, readings of 60 minutes, 8 days" in said
    assert "each household has the meter of its name" in said
    assert "base price of every day: the mean of the 1 days from 2025-01-07 on" in said
    assert all(a["max_dv_pu"] < 1e-6 for a in result["audit"].values() if a["steps_checked"])
    folder = only_run(Path("runs"))
    for name in ("households_file.csv", "meter.csv", "prices.csv"):
        original = name.replace("_file", "")
        assert (folder / "inputs" / name).read_bytes() == Path(original).read_bytes()
    joined = duckdb.execute(
        f"SELECT f.step, p.* FROM '{folder}/traces/feeder_step/*.parquet' f ASOF JOIN "
        "'prices.csv' p ON f.time >= p.timestamp AT TIME ZONE 'Europe/Berlin' "
        "WHERE f.algorithm = 'nash' ORDER BY f.step"
    ).fetchall()
    assert [price for *_, price in joined] == [100] * 48 + [50] * 24 + [100] * 24


def test_measured_load_takes_the_place_of_base_load_without_wet_appliances() -> None:
    write_meters(Path("meter.csv"), ("a", "b"), kw=4.0)
    config = resolve("tuned", {"meter": "meter.csv", "households": 2, "days": 3})
    stage = set_stage(config)
    base_kw = stage.held_out.base_kw
    wet_kwh = stage.world.population.owns[:, :3] @ np.array([110.6, 113.3, 200.0])
    assert base_kw.shape == (3, 2, 96)
    assert (np.ptp(base_kw, axis=(0, 2)) < 1e-12).all()  # constant, as measured
    kept = base_kw[0, :, 0] / [4.0, 8.0]
    assert ((kept > 0.95) & (kept <= 1.0)).all()
    assert (kept < 1.0).tolist() == (wet_kwh > 0).tolist()
    assert "taken out of it for washing machines" in stage.notes[1]


def test_measured_days_that_train_try_and_score_come_from_streams_of_their_own() -> None:
    write_meters(Path("meter.csv"), ("a", "b"), days=20)
    lines = Path("meter.csv").read_text().splitlines()
    random = np.random.default_rng(0).random(len(lines))
    varied = [
        f"{line.rsplit(',', 1)[0]},{x:.4f}" for line, x in zip(lines[1:], random, strict=False)
    ]
    Path("meter.csv").write_text("\n".join([lines[0], *varied]))
    config = resolve("tuned", {"meter": "meter.csv", "households": 2, "days": 8, "trial_days": 8})
    stage = set_stage(config)
    held_out, tried = stage.held_out.base_kw, trial_days(config, stage).base_kw
    trained = stage.world.training_days(8, 1).base_kw
    assert not np.array_equal(held_out, tried)
    assert not np.array_equal(held_out, trained)
    np.testing.assert_array_equal(set_stage(config).held_out.base_kw, held_out)


def test_devices_are_those_of_the_file_and_the_rest_is_drawn() -> None:
    rows = ["household,car,heat_pump", "a,11,no", "b,no,0.8", "c,yes,yes", "d,,"]
    Path("h.csv").write_text("\n".join(rows))
    config = resolve("tuned", {"households_file": "h.csv", "days": 4})
    assert config.households == 4
    stage = set_stage(config)
    owns = stage.world.population.owns
    drawn = set_stage(resolve("tuned", {"households": 4})).world.population.owns
    assert owns[:3, JobKind.EV].tolist() == [1, 0, 1]
    assert owns[:3, JobKind.HEAT_PUMP].tolist() == [0, 1, 1]
    np.testing.assert_array_equal(owns[3], drawn[3])
    np.testing.assert_array_equal(owns[:, :3], drawn[:, :3])
    assert stage.held_out.ev_level_kw == pytest.approx(11.0 / 3.0)
    jobs = stage.held_out.jobs
    pumps = jobs.kind == JobKind.HEAT_PUMP
    highest = jobs.cycle_kw.max(axis=1)
    assert highest[pumps & (jobs.household == 1)].max() <= 0.8
    assert highest[pumps & (jobs.household == 2)].max() <= 4.0


def test_prices_replace_the_shape_and_the_surcharge_is_added() -> None:
    write_prices(Path("p.csv"))
    plain = set_stage(resolve("tuned", {"prices": "p.csv"})).world.tariff.base_price
    np.testing.assert_allclose(plain, [0.1] * 48 + [0.05] * 24 + [0.1] * 24)
    dearer = resolve("tuned", {"prices": "p.csv", "tariff.surcharge": 0.13})
    np.testing.assert_allclose(set_stage(dearer).world.tariff.base_price, plain + 0.13)
    wider = resolve("tuned", {"prices": "p.csv", "tariff.spread": 2.0})
    assert np.ptp(set_stage(wider).world.tariff.base_price) == pytest.approx(0.1)


def test_a_run_on_negative_prices_ends_in_a_table(capsys: Streams) -> None:
    write_prices(Path("p.csv"))
    Path("p.csv").write_text(Path("p.csv").read_text().replace(",50", ",-400"))
    assert ssgrid_run(*SMALL, "--households", "4", "--prices", "p.csv", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert any("-0.4000 to 0.1000 EUR/kWh" in note for note in result["notes"])
    kpis = result["kpis"]
    assert kpis["optimum"]["cost_eur_per_household"] <= kpis["asap"]["cost_eur_per_household"]


def test_the_template_is_accepted_unchanged_and_lives_as_without_it() -> None:
    assert template("--out", "h.csv") == 0
    named = resolve("tuned", {"households_file": "h.csv", "days": 2})
    plain = resolve("tuned", {"households": 57, "days": 2})
    assert named.households == 57
    ours, theirs = set_stage(named).held_out, set_stage(plain).held_out
    np.testing.assert_array_equal(ours.base_kw, theirs.base_kw)
    np.testing.assert_array_equal(ours.jobs.cycle_kw, theirs.jobs.cycle_kw)


def test_the_template_never_overwrites(capsys: Streams) -> None:
    Path("h.csv").write_text("mine")
    assert template("--out", "h.csv") == 3
    assert "h.csv: exists; name another with --out" in capsys.readouterr().err
    assert Path("h.csv").read_text() == "mine"
    assert template("--out", "new.csv", "--feeder", "schutterwald_56") == 0
    assert "57 households" not in capsys.readouterr().out
    assert template("--out", "no/folder.csv") == 3


def test_settings_from_a_file_are_said_to_come_from_it(capsys: Streams) -> None:
    template("--out", "h.csv")
    capsys.readouterr()
    assert ssgrid_run("--households-file", "h.csv", "--dry-run", quick=False) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("households ")]
    assert "57" in line
    assert "--households-file h.csv" in line


# what stops a run: one line, in seconds, nothing left behind


def refused(capsys: Streams, *options: str) -> str:
    capsys.readouterr()
    assert ssgrid_run(*SMALL, *options, quick=False) == 3
    said = capsys.readouterr().err
    assert "SS-E3" in said
    assert "Traceback" not in said
    assert not Path("runs").exists()
    return said


@pytest.mark.usefixtures("no_tasks")
def test_files_that_are_none_stop_a_run_in_one_line(capsys: Streams) -> None:
    bad = {
        "binary": bytes(range(256)) * 9,
        "empty": b"",
        "piped": b"a|b\n1|2\n",
        "header": b"a,b\n",
    }
    for name, content in bad.items():
        Path(name).write_bytes(content)
        for option in ("--meter", "--households-file", "--prices"):
            assert name in refused(capsys, option, name)
    for option in ("--meter", "--households-file", "--prices"):
        assert "none.csv: cannot be read" in refused(capsys, option, "none.csv")


@pytest.mark.usefixtures("no_tasks")
def test_numbers_of_households_that_do_not_fit_are_named(capsys: Streams) -> None:
    write_meters(Path("meter.csv"), ("a", "b", "c"))
    line = refused(capsys, "--meter", "meter.csv", "--households", "4")
    assert "4 households and 3 meters with days of winter; run with --households 3" in line
    cut(Path("h.csv") if template("--out", "h.csv") == 0 else Path(), 3)
    line = refused(capsys, "--households-file", "h.csv", "--households", "5")
    assert "households=5, and h.csv has 3 rows: leave --households out" in line


@pytest.mark.usefixtures("no_tasks")
@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--zone", "Berlin"), "zone='Berlin': no time zone; write one as"),
        (("--prices", "p.csv", "--date", "2025-07-01"), "1 of 1 days from 2025-07-01 on are not"),
        (("--prices", "p.csv", "--set", "population.season=summer"), "0 days of summer"),
        (("--meter", "m.csv", "--set", "population.season=summer"), "no whole day (noon to noon)"),
        (("--households-file", "h.csv"), "row 2, column 'bus': 'nowhere' is no bus of kerber"),
        (("--prices", "p.csv", "--set", "tariff.surcharge=-1"), "surcharge=-1.0: must be finite"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_files_that_do_not_fit_the_run_are_refused(
    capsys: Streams, options: tuple[str, ...], why: str
) -> None:
    write_prices(Path("p.csv"))
    write_meters(Path("m.csv"), [str(n) for n in range(50)], days=1)
    Path("h.csv").write_text("household,bus\na,nowhere\n")
    assert why in refused(capsys, *options)


def test_a_run_is_not_continued_on_other_files(tmp_path: Path) -> None:
    prices = write_prices(Path("p.csv"))
    config = resolve("tuned", {"prices": "p.csv", "households": 2, "days": 1})
    grid, inputs = check(config), tmp_path / "inputs"
    inputs.mkdir()
    prepare(config, grid, inputs, lambda _: None)
    kept = (inputs / "prices.csv").read_bytes()
    assert kept == prices.read_bytes()
    prices.write_bytes(kept.replace(b",50", b",60"))
    with pytest.raises(ConfigError, match=r"p.csv: differs from the file this run began with"):
        prepare(config, grid, inputs, lambda _: None)
    copied = set_stage(with_copies(config, inputs)).world.tariff.base_price
    assert copied.min() == pytest.approx(0.05)  # what sub-tasks learn on is the copy
    prices.write_bytes(kept)  # the remedy
    prepare(config, grid, inputs, lambda _: None)


def test_the_zone_is_checked_with_the_settings() -> None:
    with pytest.raises(ConfigError, match="zone='CEST': no time zone"):
        resolve("tuned", {"zone": "CEST"})
    assert GridConfig(zone="Europe/Berlin").zone == "Europe/Berlin"
    with pytest.raises(ConfigError, match="price_column='DE': names a column of a file; give"):
        resolve("tuned", {"price_column": "DE"})
