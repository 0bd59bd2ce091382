"""The routing game for other people's learners: a PettingZoo `ParallelEnv`.

One day per episode, decided at departure in one step. SUMO runs in a child process that `close`
ends; `reset(seed=…)` draws SUMO's seed of the day.
"""

from typing import TYPE_CHECKING, Any

from trafficsim.routing.config import resolve
from trafficsim.routing.env import RoutingEnv
from trafficsim.routing.inputs import checked_net, drawn_demand, game_of, given_demand
from trafficsim.sumo.process import check_installed
from trafficsim.sumo.simulation import Simulator

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv


def parallel_env(net: str, **settings: Any) -> "ParallelEnv":
    """Drivers on the SUMO network `net`, a file or the name of a net that comes with sumo-rl.

    Agents are the drivers with a choice, named as their vehicles. Observation: time of departure in
    [0, 1], zone pair as a one-hot, and the time every alternative would have taken lately, in units
    of the mean free-flow time beyond the fastest. Action: number of an alternative; those a driver
    has are in `infos[agent]["action_mask"]`. Reward: - travel time, in quarters of the mean
    free-flow time. An episode is one step. `settings` are those of `sstraffic run`, such as
    `trips="my.trips.xml"`, `share=0.3`, `seed=1` (of drawn demand) or `drivers=60`.

    Raises:
        ConfigError: unknown settings, or values that do not fit.
        InputError: net or demand cannot be used, nobody has a choice, or SUMO is not installed.
    """
    from ss_core.adapters.pettingzoo import ParallelFromVector
    from ss_core.errors import InputError

    check_installed()
    config = resolve("tuned", {"net": net, **settings})
    checked = checked_net(config)
    demand = given_demand(config, checked) or drawn_demand(config, checked, lambda _: None)
    game = game_of(config, checked, demand)
    if not game.num_drivers:
        raise InputError(f"{net}: no driver has a choice of routes; there is nothing to decide")
    simulator = Simulator(game.scene)
    env = RoutingEnv(
        game, simulator, 1, num_neighbours=config.neighbours, described=False, remembers=False
    )

    class RoutingParallelEnv(ParallelFromVector):
        """Ends SUMO with the environment."""

        def close(self) -> None:
            simulator.close()

    return RoutingParallelEnv(env, "routing_v0")
