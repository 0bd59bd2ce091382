"""A server of days whose second never ends once the vehicle v3 has departed."""

import importlib
import time
from types import SimpleNamespace
from typing import Any

from trafficsim.sumo.server import serve

NAME = "v3"


def stuck_libsumo() -> Any:
    libsumo = importlib.import_module("libsumo")
    simulation = libsumo.simulation

    def step() -> None:
        if NAME in libsumo.vehicle.getIDList():
            time.sleep(600)
        simulation.step()

    names = ("getArrivedIDList", "getStartingTeleportIDList", "getCollidingVehiclesNumber")
    kept = {name: getattr(simulation, name) for name in (*names, "saveState", "loadState")}
    rest = {name: getattr(libsumo, name) for name in ("route", "vehicle", "edge", "start", "load")}
    return SimpleNamespace(simulation=SimpleNamespace(step=step, **kept), **rest)


if __name__ == "__main__":
    serve(stuck_libsumo)
