"""Where settings come from: flag > `SS_*` variable > `--config` or `./ss.toml` > preset > default.

Only names and origins are handled here; whether a value makes sense is the config door's to say.
The outcome is a flat dict, `{"neighbours": 8, "learner.gamma": 0.99}`, without the values that
nobody gave.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ss_core.config import parse_assignment, parse_budget, read_toml

DEFAULT_FILE = "ss.toml"
ENV_PREFIX = "SS_"
KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


@dataclass(frozen=True, slots=True)
class Settings:
    """Values somebody gave, and who gave each."""

    values: Mapping[str, Any] = field(default_factory=dict)  # dotted key: value
    origins: Mapping[str, str] = field(default_factory=dict)  # dotted key: words for a person

    def over(self, weaker: "Settings") -> "Settings":
        """Both, where these values win."""
        return Settings(
            values={**weaker.values, **self.values}, origins={**weaker.origins, **self.origins}
        )


def from_file(path: Path | None) -> Settings:
    """Settings of a TOML file; of `./ss.toml`, where there is one, when no path is given.

    Raises:
        ConfigError: the file is missing, too large or not TOML.
    """
    if path is None:
        path = Path(DEFAULT_FILE)
        if not path.is_file():
            return Settings()
    values = _flat(read_toml(path))
    return Settings(values=values, origins=dict.fromkeys(values, f"file {path}"))


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def from_assignments(assignments: tuple[str, ...]) -> Settings:
    """Settings of repeated `--set KEY=VALUE`; VALUE is a TOML value, or else a string.

    Raises:
        ConfigError: an assignment has no `=` or no usable key.
    """
    values = dict(parse_assignment(text) for text in assignments)
    return Settings(values=values, origins={key: f"--set {key}" for key in values})


def from_options(ctx: click.Context, names: tuple[str, ...]) -> Settings:
    """Settings given by a command's own flags, and by the `SS_*` variables that stand for them."""
    flags, variables = Settings(), Settings()
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        given = {name: ctx.params.get(name)}
        if name not in names:
            continue
        if source is ParameterSource.COMMANDLINE:
            flags = Settings(given, {name: parameter.opts[0]}).over(flags)
        elif source is ParameterSource.ENVIRONMENT:
            variables = Settings(given, {name: f"variable {parameter.envvar}"}).over(variables)
    return flags.over(variables)


def from_environment(known: tuple[str, ...], environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings of variables such as `SS_LEARNER__GAMMA`, which is `learner.gamma`."""
    values, origins = {}, {}
    for variable, text in sorted(environ.items()):
        key = variable.removeprefix(ENV_PREFIX).lower().replace("__", ".")
        if (
            variable.startswith(ENV_PREFIX)
            and "." in key
            and key not in known
            and KEY.fullmatch(key)
        ):
            values[key], origins[key] = parse_assignment(f"{key}={text}")[1], f"variable {variable}"
    return Settings(values, origins)


def scenario_request(
    ctx: click.Context, options: Mapping[str, Any], names: tuple[str, ...]
) -> dict[str, Any]:
    """What a scenario's `…_from_cli` needs, as plain values.

    `overrides` holds only what somebody set, by dotted name, `origins` who set it; `budget` in it
    is a dict with one of `seconds`, `updates`, `episodes`. Presets and defaults are the scenario's.
    """
    settings = from_assignments(options["assignments"]).over(
        from_options(ctx, (*names, "preset"))
        .over(from_environment(names))
        .over(from_file(options["config"]))
    )
    overrides = dict(settings.values)
    if "budget" in overrides:
        overrides["budget"] = parse_budget(str(overrides["budget"]))
    return {
        "preset": overrides.pop("preset", "tuned"),
        "overrides": overrides,
        "origins": dict(settings.origins),
        "out": str(options["out"]),
        "resume": options["resume"],
        "dry_run": options["dry_run"],
    }
