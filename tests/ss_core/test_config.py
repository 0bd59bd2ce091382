"""The config door: frozen dataclasses from and to plain mappings."""

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.config import (
    config_hash,
    from_dict,
    parse_assignment,
    read_toml,
    replace_path,
    replace_paths,
    to_dict,
    toml_bytes,
)
from ss_core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerConfig:
    """A component with a check of its own."""

    rho: float = 0.5
    num_epochs: int = 4
    kind: Literal["ss", "vps"] = "ss"
    hidden: tuple[int, ...] = (64, 64)
    clip_eps: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rho <= 1:
            raise ValueError(f"rho={self.rho} must lie in [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Components nested three ways."""

    households: int
    verbose: bool = False
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    rival: LearnerConfig | None = None
    others: tuple[LearnerConfig, ...] = ()


def message_of(mapping: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        from_dict(RunConfig, mapping, where="run.toml")
    return str(caught.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Sections within sections."""

    run: RunConfig
    spare: LearnerConfig


def test_a_key_of_a_section_below_is_found_there() -> None:
    message = message_of({"households": 1, "num_epochs": 3, "verbos": True})
    assert "[top level] num_epochs: unknown key; did you mean 'learner.num_epochs'?" in message
    assert "[top level] verbos: unknown key; did you mean 'verbose'?" in message
    study = Study(run=RunConfig(households=1), spare=LearnerConfig())
    with pytest.raises(ConfigError, match=r"did you mean 'run\.learner\.rho' or 'spare\.rho'\?"):
        replace_paths(study, {"rho": 0.1})
    with pytest.raises(ConfigError, match=r"\[run\] rho: .*did you mean 'run\.learner\.rho'\?"):
        replace_paths(study, {"run.rho": 0.1})
    assert replace_paths(study, {"run.learner.rho": 0.1}).run.learner.rho == 0.1


def test_a_config_survives_the_way_through_toml(tmp_path: Path) -> None:
    config = RunConfig(
        households=50, rival=LearnerConfig(rho=1.0), others=(LearnerConfig(kind="vps"),)
    )
    path = tmp_path / "config.toml"
    path.write_bytes(toml_bytes(to_dict(config)))
    assert from_dict(RunConfig, read_toml(path), where="config.toml") == config


def test_an_integer_may_stand_for_a_float_and_a_list_for_a_tuple() -> None:
    config = from_dict(
        RunConfig, {"households": 2, "learner": {"rho": 1, "hidden": [8]}}, where="x"
    )
    assert (config.learner.rho, config.learner.hidden) == (1.0, (8,))
    assert isinstance(config.learner.rho, float)


def test_an_unknown_key_is_refused_with_file_section_and_closest_key() -> None:
    message = message_of({"households": 2, "learner": {"num_epoch": 3}})
    assert "run.toml: 1 problem" in message
    assert "[learner] num_epoch: unknown key; did you mean 'num_epochs'?" in message


def test_all_problems_stand_in_one_message() -> None:
    message = message_of(
        {
            "household": 2,
            "verbose": 1,
            "learner": {"kind": "ppo", "num_epochs": "3"},
            "others": [{"hiden": [1]}],
            "rival": {"rho": 7.0},
        }
    )
    assert "7 problems" in message
    for part in (
        "[top level] household: unknown key; did you mean 'households'?",
        "[top level] households: missing",
        "[top level] verbose: Input should be a valid boolean (got 1)",
        "[learner] kind: Input should be 'ss' or 'vps' (got 'ppo')",
        "[learner] num_epochs: Input should be a valid integer (got '3')",
        "[others.0] hiden: unknown key; did you mean 'hidden'?",
        "[rival] rho=7.0 must lie in [0, 1]",
    ):
        assert part in message
    assert message.count("\n") == 7


def test_nan_is_refused_even_where_a_range_check_lets_it_pass() -> None:
    assert "[learner] clip_eps: NaN" in message_of(
        {"households": 1, "learner": {"clip_eps": float("nan")}}
    )


def test_a_path_replaces_one_value_and_checks_it() -> None:
    config = RunConfig(households=3)
    assert replace_path(config, "learner.rho", 0.25) == replace(
        config, learner=LearnerConfig(rho=0.25)
    )
    assert replace_path(config, "rival.rho", 0.25).rival == LearnerConfig(rho=0.25)
    for path, part in (
        ("lerner.rho", "unknown section 'lerner'; did you mean 'learner'?"),
        ("learner.roh", "did you mean 'rho'?"),
        ("households.x", "is a value, not a section"),
    ):
        with pytest.raises(ConfigError, match="--set") as caught:
            replace_path(config, path, 1)
        assert part in str(caught.value)


def test_paths_replaced_together_are_checked_together() -> None:
    config = replace_paths(RunConfig(households=3), {"households": 5, "learner.clip_eps": 0.2})
    assert (config.households, config.learner.clip_eps) == (5, 0.2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learner.rho=0.5", ("learner.rho", 0.5)),
        ("a = [1, 2]", ("a", [1, 2])),
        ("kind=vps", ("kind", "vps")),
        ("a=none", ("a", None)),
        ("a=b=c", ("a", "b=c")),
    ],
)
def test_an_assignment_is_read_as_toml_or_as_text(text: str, expected: tuple[str, object]) -> None:
    assert parse_assignment(text) == expected


def test_an_assignment_without_equals_is_refused() -> None:
    with pytest.raises(ConfigError, match="PATH=VALUE"):
        parse_assignment("learner.rho")


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False), max_size=5))
def test_the_hash_ignores_the_order_of_keys(mapping: dict[str, float]) -> None:
    assert config_hash(mapping) == config_hash(dict(reversed(mapping.items())))
    assert config_hash(mapping) != config_hash({**mapping, "one more key": 0})


@given(st.binary(max_size=60))
def test_any_bytes_are_a_mapping_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("toml") / "a.toml"
    path.write_bytes(data)
    try:
        outcome = str(type(read_toml(path)))
    except ConfigError as error:
        outcome = str(error)
    assert outcome == "<class 'dict'>" or outcome.startswith(str(path))


def test_importing_the_config_door_imports_nothing_heavy() -> None:
    code = (
        "import sys, ss_core.config, ss_core.record.run_directory\n"
        "import ss_core.record.trace_writer, ss_core.record.schema\n"
        "print(sorted({'pydantic', 'torch', 'pyarrow', 'filelock'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
