"""Runs from Python: keyword arguments are settings, what comes back is a `Run`.

`gridsim.run`, `trafficsim.run` and `ss_core.train` are this function with their world's name.
"""

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

from ss_core.analysis.run import Run
from ss_core.analysis.run_data import RunData
from ss_core.config import parse_budget
from ss_core.errors import CheckFailedError, ConfigError, SuggestionSharingError
from ss_core.processes.child_tasks import Progress
from ss_core.record.atomic import atomic_write
from ss_core.report.assemble import RunSummary, run_page
from ss_core.scenario.run import run_scenario

PAGE = "report.html"


def silent(_stage: str, _done: float, _total: float, _note: str) -> None:
    """Progress that nobody reads."""


def run_world(
    scenario: str,
    summary: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    preset: str = "tuned",
    out: str | PathLike[str] = "runs",
    resume: str | PathLike[str] = "auto",
    report: bool = True,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Carry out a run of a world, and write the page about it.

    Settings are those of `--set` and of the command's flags, and nothing else: neither variables
    nor `./ss.toml` are read. A section is a mapping, or a name with two underscores:
    `learner={"gamma": 0.98}` and `learner__gamma=0.98` are `--set learner.gamma=0.98`.

    Args:
        scenario: the world's `Scenario`, as `module:NAME`.
        summary: what tells its page about a run, as `module:function`.
        arguments: what stands after the command's name, no setting.
        preset: hyper-parameters to start from: `tuned`, `paper`, ...
        out: the folder in which the run directory is made.
        resume: `auto` continues an interrupted run of the same settings, `never` does not, a path
            names the run to continue.
        report: whether to write `report.html` into the run directory.
        progress: called with stage, done, total and a note; `print` will do.
        settings: by name.

    Raises:
        ConfigError: unknown settings or values that do not fit, all listed; nothing was written.
        SuggestionSharingError: as `ss_core.scenario.run.run_scenario`.
    """
    overrides = flat(settings)
    if "budget" in overrides:
        overrides["budget"] = parse_budget(str(overrides["budget"]))
    request = {
        "preset": preset,
        "overrides": overrides,
        "origins": {},
        "out": str(out),
        "resume": str(resume),
        "dry_run": False,
        "arguments": dict(arguments or {}),
    }
    result = run_scenario(scenario, request, progress or silent)
    folder = Path(result["run_dir"])
    if report:
        _write_page(folder, summary)
    if result.get("failed_check"):
        raise CheckFailedError(f"{folder}: {result['failed_check']}")
    return Run(folder)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted name; a path becomes text, as on the command line."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = prefix + key.replace("__", ".")
        if isinstance(value, Mapping) and name != "env_args":
            found |= flat(value, f"{name}.")
        else:
            found[name] = str(value) if isinstance(value, PathLike) else value
    return found


def target_of(env: str | Callable[..., Any]) -> str:
    """A task's name as it is; a function as `module:function`, for child processes import it.

    Raises:
        ConfigError: it cannot be imported: a lambda, a method, or a function of the main program.
    """
    if isinstance(env, str):
        return env
    module, name = getattr(env, "__module__", "__main__"), getattr(env, "__qualname__", "<>")
    if module == "__main__" or not name.isidentifier():
        raise ConfigError(
            f"env={name}: processes that learn import it by name; put it at the top of a module "
            "of yours, my_game.py, and give my_game.make_env or 'my_game:make_env'"
        )
    return f"{module}:{name}"


def _write_page(folder: Path, summary: str) -> None:
    """Write the page; what speaks against it is a warning, for the run itself is complete."""
    module, _, name = summary.partition(":")
    data = RunData(folder)
    try:
        found: RunSummary = getattr(import_module(module), name)(data)
        atomic_write(folder / PAGE, run_page(data, found))
    except SuggestionSharingError as error:
        warnings.warn(
            f"no report: {error}; `ss report {folder}` tries again", UserWarning, stacklevel=4
        )
