"""What a command line asks of the benchmark; cheap to import."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a command line asks for."""

    profile: Literal["smoke", "quick", "full", "literal"] = "quick"
    envs: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    preset: Literal["paper", "tuned", "both"] = "both"
    seeds: int | None = None
    workers: int = 2
    out: Path | None = None  # None: bench/paper-<profile>
    fresh: bool = False
    engine: Literal["local", "ray"] = "local"
    address: str | None = None  # of a Ray cluster
    device: str = "cpu"
    check: bool = False  # against the shipped reference
    reference: Path | None = None  # to check against instead
    write_reference: Path | None = None  # where to store these results as one
    dry_run: bool = False
    max_hours: float | None = None  # of wall-clock time, then stop, evaluate and write the page

    @property
    def folder(self) -> Path:
        """Where everything goes, before `fresh` is considered."""
        return Path("bench") / f"paper-{self.profile}" if self.out is None else self.out

    @property
    def command(self) -> str:
        """The command line as given."""
        words = ["ss", "bench", "paper", "--profile", self.profile]
        for name in self.envs:
            words += ["--env", name]
        for name in self.algorithms:
            words += ["--algorithm", name]
        if self.preset != "both":
            words += ["--preset", self.preset]
        if self.seeds is not None:
            words += ["--seeds", str(self.seeds)]
        if self.device != "cpu":
            words += ["--device", self.device]
        return shlex.join(words)
