"""The server of `trafficsim.sumo.server` with a clock around SUMO's own work, for `traffic.py`."""

import importlib
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from trafficsim.sumo.server import serve


def mapped(path: Path) -> "memoryview[float]":
    """One number of a file of 8 bytes, shared with whoever maps it, too."""
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 8)).cast("d")


def clocked(libsumo: Any, seconds: "memoryview[float]") -> Any:
    """A libsumo that adds up the time in its calls to load, add vehicles and step."""

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            result = function(*arguments, **named)
            seconds[0] += time.perf_counter() - started
            return result

        return timed

    simulation = libsumo.simulation
    return SimpleNamespace(
        start=around(libsumo.start),
        load=around(libsumo.load),
        route=SimpleNamespace(add=around(libsumo.route.add)),
        vehicle=SimpleNamespace(add=around(libsumo.vehicle.add)),
        edge=libsumo.edge,
        simulation=SimpleNamespace(
            step=around(simulation.step),
            loadState=around(simulation.loadState),
            saveState=around(simulation.saveState),
            getArrivedIDList=simulation.getArrivedIDList,
            getStartingTeleportIDList=simulation.getStartingTeleportIDList,
            getCollidingVehiclesNumber=simulation.getCollidingVehiclesNumber,
        ),
    )


if __name__ == "__main__":
    seconds = mapped(Path(os.environ["SUMO_CLOCK"]))
    serve(lambda: clocked(importlib.import_module("libsumo"), seconds))
