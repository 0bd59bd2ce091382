"""SUMO's own program on files as users have them: the auditor of what we make of the same files."""

import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

QUIET = ("--no-step-log", "--xml-validation", "never", "--duration-log.disable", "--no-warnings")


@dataclass(frozen=True, slots=True)
class Driven:
    """What SUMO says of everybody who arrived."""

    duration_s: Mapping[str, float]  # by vehicle
    edges: Mapping[str, tuple[str, ...]]

    @property
    def mean_s(self) -> float:
        """Of all who arrived."""
        return float(np.mean([*self.duration_s.values()]))

    def over(self, *edges: str) -> Counter[str]:
        """How many drove over each of some edges."""
        return Counter(edge for route in self.edges.values() for edge in edges if edge in route)


def driven(folder: Path, *words: str, seed: int = 0) -> Driven:
    """A whole run of `sumo` with these options."""
    import sumo

    trips, routes = folder / "plain.trips.xml", folder / "plain.routes.xml"
    command = [f"{sumo.SUMO_HOME}/bin/sumo", *words, *QUIET, "--seed", str(seed)]
    command += ["--tripinfo-output", str(trips), "--vehroute-output", str(routes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    times = re.findall(r'<tripinfo id="([^"]+)"[^>]*? duration="([\d.]+)"', trips.read_text())
    taken = re.findall(
        r'<vehicle id="([^"]+)".*?<route[^>]*? edges="([^"]+)"[^>]*>(?:\s*</vehicle>)',
        routes.read_text(),
        re.DOTALL,
    )
    return Driven(
        {name: float(time_s) for name, time_s in times},
        {name: tuple(edges.split()) for name, edges in taken},
    )
