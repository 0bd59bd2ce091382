"""From names and files to a scene that SUMO can play: paths found, files checked."""

from dataclasses import replace
from pathlib import Path

from ss_core.errors import ConfigError
from trafficsim.nets.catalogue import inside_sumo_rl, net_file, net_named
from trafficsim.signals.checks import check_demand, check_lights, demand_beside
from trafficsim.signals.scene import SignalScene
from trafficsim.sumo.process import check_installed


def located_scene(scenario: str, scene: SignalScene) -> SignalScene:
    """The scene with the paths of its files on this machine; no `routes`: demand is to be drawn.

    Raises:
        ConfigError: both or none of a name and a net.
        InputError: an unknown name; or sumo-rl or the net is missing.
    """
    if scenario and scene.net:
        raise ConfigError(f"scenario={scenario!r} and net={scene.net!r}: give one of them")
    if scenario:
        named = net_named(scenario)
        routes = scene.routes or str(inside_sumo_rl(named.demand[0]))
        return replace(scene, net=str(inside_sumo_rl(named.net)), routes=routes)
    if not scene.net:
        raise ConfigError(
            "net: name a SUMO net with traffic lights, or a --scenario such as 2x2grid"
        )
    net = net_file(scene.net)
    return replace(scene, net=str(net), routes=scene.routes or str(demand_beside(net) or ""))


def checked_scene(scenario: str, scene: SignalScene) -> SignalScene:
    """The located scene, its files checked before SUMO sees them.

    Raises:
        ConfigError, InputError: what is wrong with them.
    """
    located = located_scene(scenario, scene)
    if "," in located.routes:
        raise ConfigError(f"routes={located.routes!r}: one file, without commas in its name")
    check_lights(Path(located.net))
    if located.routes:
        check_demand(Path(located.routes))
    inside_sumo_rl("")
    check_installed()
    return located
