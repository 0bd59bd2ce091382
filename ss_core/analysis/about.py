"""What an export tells beside its tables: title, date, sources, licences, notes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ss_core.analysis.export import AGENT_VIEW, Export
from ss_core.analysis.run_data import RunData
from ss_core.errors import ConfigError
from ss_core.record.calendar import date_problem
from ss_core.record.provenance import DISTRIBUTION, installed_version

LICENCE_NAME = re.compile(r"[-a-zA-Z0-9._+]+")  # of a Data Package, as CC-BY-4.0
ADDRESS = re.compile(r"https?://\S+")
VIEWS_IN_WORDS = {
    "public": "columns that anyone may know",
    "exchanged": "columns that anyone may know, and what went from agent to agent",
    "full": "all columns, the operator's, the agents' private ones and the simulator's too",
}
READING = (
    "All values are simulated, none is measured.",
    "A unit stands in brackets behind the name of its column; 1 is a pure number.",
    "An empty cell means that the value does not apply to its row.",
)
NO_CALENDAR = (
    "The run has no date: clocks count seconds from midnight, days count from 0. "
    "--date 2025-01-15 adds calendar times."
)


@dataclass(frozen=True, slots=True)
class Source:
    """Something that a run was made from, and the licence it came under."""

    title: str
    licence: str = ""  # "" where the run does not know it
    path: str = ""  # an address


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the cover and the package say of a run."""

    title: str
    run_id: str
    view: str
    notes: Sequence[str]
    sources: Sequence[Source] = ()
    created: str = ""  # when the run began, ISO 8601; "" where that is not known
    program: str = ""  # what made the run, with its version
    author: str = ""
    licence: str = ""  # of the tables: a name, or an address

    @property
    def licence_is_address(self) -> bool:
        """Whether `licence` tells where it stands instead of its name."""
        return ADDRESS.fullmatch(self.licence) is not None


def about_run(
    run: Path,
    export: Export,
    *,
    sources: Sequence[Source] = (),
    title: str = "",
    author: str = "",
    licence: str = "",
) -> About:
    """What is known of the run that tables were exported from.

    Raises:
        ConfigError: the licence is neither a name nor an address.
        InputError, CorruptError: there is no run.
    """
    if licence and not (LICENCE_NAME.fullmatch(licence) or ADDRESS.fullmatch(licence)):
        raise ConfigError(
            f"--licence {licence!r}: give a short name or an address, as CC-BY-4.0 or "
            "https://creativecommons.org/licenses/by/4.0/"
        )
    data = RunData(run)
    return About(
        title=title or f"Tables of the {data.task} run {data.block['run_id']}",
        run_id=str(data.block["run_id"]),
        view=export.view,
        notes=(*_notes(export), *(_notes_of_run(data) if export.view == "full" else ())),
        sources=tuple(sources),
        created=_created(data),
        program=_program(data),
        author=author,
        licence=licence,
    )


def _notes(export: Export) -> list[str]:
    agent = export.view.removeprefix(AGENT_VIEW)
    words = VIEWS_IN_WORDS.get(export.view, f"what {agent} knows")
    notes = [f"View {export.view}: {words}.", *READING]
    if export.left_out:
        notes.append(f"Tables that are not in this export: {', '.join(export.left_out)}.")
    if export.lacks_calendar:
        notes.append(NO_CALENDAR)
    return notes


def _notes_of_run(data: RunData) -> list[str]:
    """What the run said at its end; it names files and may name agents."""
    notes = data.result.get("notes", [])
    return [str(note) for note in notes] if isinstance(notes, list) else []


def _created(data: RunData) -> str:
    found = str(data.environment.get("created", ""))
    return found if not date_problem(found[:10]) else ""


def _program(data: RunData) -> str:
    packages = data.environment.get("packages")
    version = packages.get(DISTRIBUTION) if isinstance(packages, dict) else None
    return f"Suggestion Sharing {version or installed_version() or ''}".strip()
