"""F10: five hundred malformed settings, by file, flag and variable: one line each, no traceback."""

import random
import tomllib
from pathlib import Path

import pytest
import tomli_w

from cli.app import run as run_command
from cli.commands.grid import cli as ssgrid
from gridsim.config import GridConfig
from ss_core.config import to_dict
from tests.support.fault_counts import counted, times

WRONG = (
    "text", "", -1, 0, 10**30, 1.5, -0.1, float("nan"), float("inf"), True, [], [1], ["a"], {},
    {"a": 1}, "1e999", "../x", "\u202e", "x" * 5000, [[[]]], "0x10", "1_000", "None",
)  # fmt: skip
REFUSED = {2, 3}


def leaves(table: dict[str, object], prefix: str = "") -> list[str]:
    return [
        name
        for key, value in table.items()
        for name in (
            leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
        )
    ]


KEYS = leaves(to_dict(GridConfig()))


def told(code: int, capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "internal error" not in captured.err, captured.err
    assert code in REFUSED | {0}, (code, captured.err)
    return captured.err


def attempt(arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> int:
    command = ["run", "--dry-run", "--quiet", "--out", str(out), *arguments]
    code = run_command(ssgrid, "ssgrid", command)
    message = told(code, capsys)
    assert not out.exists()
    assert bool(message.strip()) == bool(code)
    return code


def nested(key: str, value: object) -> dict[str, object]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value  # type: ignore[return-value]


def test_values_that_do_not_fit_are_refused_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, file, refused = random.Random(1), tmp_path / "my.toml", 0
    for _ in range(times(250, 10_000)):
        chosen = nested(rng.choice(KEYS), rng.choice(WRONG))
        file.write_text(tomli_w.dumps(chosen), encoding="utf-8")
        refused += attempt(["--config", str(file)], tmp_path / "runs", capsys) != 0
        counted("F10")
    assert refused > 150  # some values fit some settings


def test_files_with_mistakes_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, file = random.Random(2), tmp_path / "my.toml"
    sound = tomli_w.dumps({"households": 20, "learner": {"gamma": 0.98, "num_updates": 3}}).encode()
    for _ in range(times(150, 5_000)):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(data))
            data[place : place + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 4))
        file.write_bytes(data)
        code = attempt(["--config", str(file)], tmp_path / "runs", capsys)
        try:
            tomllib.loads(data.decode())
        except (ValueError, RecursionError):
            assert code == 3
        counted("F10")


def test_assignments_with_mistakes_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(3)
    refused = 0
    letters = "abcxyz._=[]{}\"'0123456789-+ \t\u00e4\u202e#"
    for _ in range(times(100, 5_000)):
        key = rng.choice(KEYS)
        text = rng.choice(
            [
                "".join(rng.choice(letters) for _ in range(rng.randint(0, 20))),
                f"{key}={''.join(rng.choice(letters) for _ in range(rng.randint(0, 8)))}",
                f"{key[:-1]}=1",
                f"{key}.more=1",
            ]
        )
        refused += attempt(["--set", text], tmp_path / "runs", capsys) != 0
        counted("F10")
    assert refused > 80  # a few letters after a sound key are a sound value
