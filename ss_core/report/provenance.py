"""Chapters about trust: what went wrong, what was checked, and how the run was made."""

import math
from collections.abc import Mapping, Sequence

from ss_core.analysis.run_data import RunData
from ss_core.report.page_model import Item, Section, Table, Text


def incidents_section(data: RunData, also: Sequence[Item] = ()) -> Section:
    """What went wrong, what the program did about it, and how far the physics was checked."""
    columns = [
        "algorithm",
        "update",
        "day",
        "code",
        "severity",
        "entity_id",
        "detail",
        "action_taken",
    ]
    rows = data.table("incident", columns)
    found: Item = Text("No incident: nothing went wrong that the program had to handle.")
    if len(rows):
        alike = ["algorithm", "code", "severity", "entity_id", "action_taken"]
        grouped = rows.groupby(alike, sort=False, dropna=False)
        first = grouped.first().reset_index().assign(times=grouped.size().to_numpy())
        first["when"] = [_when(*each) for each in first[["update", "day"]].itertuples(index=False)]
        shown = ["algorithm", "times", "when", *columns[3:]]
        found = Table(
            columns=("row", "times", "first", "code", "severity", "where", "what",
                     "what was done"),
            rows=[tuple(row) for row in first[shown].itertuples(index=False)],
            caption="Incidents",
        )  # fmt: skip
    return Section(slug="incidents", title="Can it be trusted?", items=(*also, found))


def _when(update: float, day: float) -> str:
    """Of an incident: while learning, on a day that was played, or before both."""
    if not math.isnan(update):
        return f"update {update:.0f}"
    return "–" if math.isnan(day) else f"day {day:.0f}"


def made_section(data: RunData) -> Section:
    """The command, seeds, versions and every setting."""
    ran_on = data.environment
    command = ran_on.get("command")
    packages = data.environment.get("packages", {})
    facts: list[tuple[str, str]] = [
        ("run", str(data.block["run_id"])),
        ("status", str(data.block["status"])),
        ("seed", str(data.block["seed"])),
        ("started", str(data.environment.get("created", "not known"))),
        ("wall time of the last start, s", str(data.timing.get("wall_s", "not known"))),
        (
            "processor",
            f"{ran_on.get('machine', '?')}, {ran_on.get('cpu_count', '?')} cores",
        ),
        ("python", str(data.environment.get("python", "not known"))),
        *((name, str(version)) for name, version in packages.items() if version),
        ("hash of the settings", str(data.block["config_sha256"])),
    ]
    settings = [(key, _shown(value)) for key, value in _flat(data.config)]
    ran = f"The command was: {command};" if command else "The command is not known;"
    return Section(
        slug="made",
        title="How this was made",
        items=(
            Text(
                f"{ran} its settings are below and in config.toml. With equal versions they give "
                "the same bytes."
            ),
            Table(columns=("what", "value"), rows=facts),
            Table(columns=("setting", "value"), rows=settings, caption="Every setting, resolved"),
        ),
    )


def _flat(table: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", value))
    return flat


def _shown(value: object) -> str:
    return "–" if value is None else str(value)
