"""Studies of the smallest world, as files and as they are carried out in this process."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cli.settings import parse_budget
from ss_core.experiments.studies.spec import plan_of, read_spec
from ss_core.experiments.studies.study import Study
from ss_core.processes.child_tasks import Task, perform
from ss_core.processes.pool import Failure, Observe, write_failure
from tests.ss_core.scenario.toy import SCENARIO

STUDY = {"command": '"giving"', "seeds": "2", "figure": '"forgone"', "above": "0.5"}
BASE = {
    "learner.num_envs": "8",
    "learner.hidden": "[8]",
    "learner.critic_hidden": "[8]",
    "commit_every": "2",
    "evaluations": "1",
}
AXES = {"learner.actor_lr": "[0.001, 0.05]", "budget": '["4", "6"]'}


def study_text(
    study: Mapping[str, str] = STUDY,
    base: Mapping[str, str] = BASE,
    axes: Mapping[str, str] = AXES,
) -> str:
    """A study of the giving game as a file has it."""
    tables = {"study": study, "base": base, "axes": axes}
    return "\n".join(
        line
        for name, table in tables.items()
        for line in (f"[{name}]", *(f"{key} = {value}" for key, value in table.items()))
    )


def giving(folder: Path, text: str = "") -> Study:
    """That study, ready to run in a folder; its file lies there, too."""
    path = folder / "give.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or study_text())
    spec = read_spec(path, ("giving",))
    return Study(
        spec=spec,
        source=path.read_bytes(),
        plan=plan_of(spec, SCENARIO, parse_budget),
        scenario=SCENARIO,
        out=folder / "study",
    )


def pool_here(
    tasks: Sequence[Task],
    _workers: int,
    observe: Observe,
    *,
    time_is_up: Callable[[], bool] = lambda: False,
) -> list[Failure]:
    """In place of `pool.run_pool`: one run after the other, in this process."""
    failures = []
    for task in tasks:
        if time_is_up():
            break
        match perform(task, lambda *_: None, lambda: False):
            case ("done",):
                observe(task.name, "done", 1, 1, "")
            case ("error", kind, text, trace):
                failures.append(write_failure(task, f"{kind}: {text}", trace))
                observe(task.name, "failed", 0, 1, failures[-1].reason)
    return failures


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a study that is a function of its own file and seeds alone."""
    volatile = {"timing.json", "environment.json", "events.jsonl", ".lock", ".lock.json"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in volatile and "logs" not in path.parts
    }


def write_results(study: Path) -> None:
    """A data set such as the study of electric cars leaves, of two policies at two shares."""
    for share, hours in ((0.5, 0.0), (1.0, 0.2)):
        folder = study / "results" / f"by_ev_ownership={share}"
        folder.mkdir(parents=True)
        columns = {
            "ev_ownership": [share, share],
            "algorithm": ["independent", "ss"],
            "trafo_overload_h": [hours, 0.0],
        }
        pq.write_table(pa.table(columns), folder / "part-000000.parquet")
