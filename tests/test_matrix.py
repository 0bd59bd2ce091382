"""The matrix of installations covers every extra, and its commands are commands."""

import tomllib
from pathlib import Path

import click
import pytest

from cli import ss
from cli.commands import grid, traffic
from tests.support.matrix import CASES, VERSIONS, Case, interpreter

ROOT = Path(__file__).resolve().parent.parent
GROUPS: dict[str, click.Group] = {"ss": ss.cli, "ssgrid": grid.cli, "sstraffic": traffic.cli}
NOT_TRIED = {"dev", "fuzz"}  # what `make tools` and `make fuzz` install


def test_every_extra_and_every_supported_python_has_a_case() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tried = {extra for case in CASES for extra in case.extras.split(",") if extra}
    assert tried == set(project["optional-dependencies"]) - NOT_TRIED
    versions = [line.split()[-1] for line in project["classifiers"] if "Python :: 3." in line]
    assert tuple(versions) == VERSIONS
    assert {case.python for case in CASES} == set(VERSIONS)
    assert any(case.from_source for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_commands_of_a_case_exist_with_their_options(case: Case) -> None:
    for program, *words in case.commands:
        if program not in GROUPS:
            assert program in {"python", "netconvert"}
            continue
        command, rest = GROUPS[program], list(words)
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), rest.pop(0))
            assert found is not None
            command = found
        command.make_parser(click.Context(command)).parse_args(rest)


def test_a_python_is_found_by_what_it_says_of_itself() -> None:
    assert interpreter("2.0") is None
    assert any(interpreter(version) for version in VERSIONS)
