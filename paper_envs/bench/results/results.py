"""What one benchmark run leaves behind, and how it lies on disk (`result.json`)."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paper_envs.preset_names import PresetName
from paper_envs.tasks import TASKS
from ss_core.errors import CorruptError
from ss_core.record.atomic import atomic_write, json_bytes

RESULT_SCHEMA = "ss.bench.run/1"
SLUG = re.compile(
    r"(?P<task>[a-z-]+)-(?P<n>[0-9]{1,4})-(?P<preset>paper|tuned)-(?P<algorithm>[^-/]+)(?:-(?P<v>[^/]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """One condition of the benchmark: runs of a cell differ in their seed alone."""

    task: str  # a name in `paper_envs.tasks`
    num_agents: int
    preset: PresetName
    algorithm: str  # a name in `ss_core.algorithms`
    variant: str = ""  # a change to the preset, a name in `paper_envs.presets.VARIANTS`; "" = none

    @property
    def slug(self) -> str:
        """Name of its folder."""
        tail = f"-{self.variant}" if self.variant else ""
        return f"{self.task}-{self.num_agents}-{self.preset}-{self.algorithm}{tail}"

    @classmethod
    def of_slug(cls, slug: str) -> "Cell | None":
        """The cell whose folder has that name; None if none has."""
        found = SLUG.fullmatch(slug)
        if found is None or found["task"] not in TASKS:
            return None
        task, count, preset, algorithm, variant = found.groups()
        return cls(
            task=task,
            num_agents=int(count),
            preset="paper" if preset == "paper" else "tuned",
            algorithm=algorithm,
            variant=variant or "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One training run and its evaluation; returns are external rewards, averaged over N and T.

    `curve` holds columns of equal length, one entry per recorded update; always `update`, `episode`
    and `averaged_return`; where the task tells cooperation `rate_all`, `rate_mixed`, `rate_none`
    (joint actions); where suggestions are exchanged `suggestion_mse`, with cooperation also
    `suggested_cooperation`. A value that does not exist is None.
    """

    cell: Cell
    seed: int
    num_updates: int  # that it has trained
    planned_updates: int  # as many at its end
    num_envs: int  # episodes per update
    final_return: float  # averaged return of the evaluation episodes
    evaluation_returns: tuple[float, ...]  # averaged return of each evaluation episode
    agent_returns: tuple[float, ...]  # mean per step of each agent, over the evaluation episodes
    cooperators: tuple[int, ...] | None  # [k] steps of the evaluation in which k agents cooperated
    curve: dict[str, list[float | None]]
    bytes_by_kind: dict[str, int]  # exchanged over the whole training, all agents together

    @property
    def finished(self) -> bool:
        """Whether it has trained as long as was planned."""
        return self.num_updates >= self.planned_updates

    @property
    def episodes(self) -> int:
        """Training episodes done."""
        return self.num_updates * self.num_envs

    @property
    def planned_episodes(self) -> int:
        """Training episodes at its end."""
        return self.planned_updates * self.num_envs

    @property
    def published_share(self) -> float | None:
        """Training episodes done as a share of the paper's, 1 at most; None for small variants."""
        published = TASKS[self.cell.task].published_episodes
        return None if published is None else min(1.0, self.episodes / published)


def write_result(result: RunResult, path: Path) -> None:
    """Publish `result.json`."""
    atomic_write(path, json_bytes({"schema": RESULT_SCHEMA, **asdict(result)}))


def read_result(path: Path) -> RunResult:
    """Read what `write_result` wrote.

    Raises:
        CorruptError: the file is not a result of this version.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        if document.pop("schema") != RESULT_SCHEMA:
            raise ValueError(f"not of schema {RESULT_SCHEMA}")
        document["cell"] = Cell(**document["cell"])
        document.setdefault("planned_updates", document["num_updates"])  # of older, ended runs
        for name in ("evaluation_returns", "agent_returns", "cooperators"):
            document[name] = None if document[name] is None else tuple(document[name])
        return RunResult(**document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"{path}: not the result of a run ({error}); delete it and run the benchmark again to "
            "measure that run anew, from its last checkpoint if it has one"
        ) from error
