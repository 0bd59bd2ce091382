"""RouteRL's day, for `traffic.py`: runs in RouteRL's own environment, imports nothing of ours.

    PYTHON_OF_ROUTERL benchmarks/routerl_day.py FOLDER

FOLDER holds `setup.json` and what RouteRL reads: the net, agents.csv, routes.csv, route.rou.xml.
For every line on stdin all days of the setup are driven, human drivers with given routes, and a
line of JSON says how long that took and what the mean travel times were.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

NAME = "scene"  # of the net, as RouteRL wants to call it


def environment(folder: Path, setup: dict[str, Any]) -> Any:
    """The environment as RouteRL has it by default but for `setup["settings"]`; libsumo inside."""
    from routerl import TrafficEnvironment  # pyright: ignore[reportMissingImports]

    simulator = {
        "network_name": NAME,
        "custom_network_folder": str(folder),
        "simulation_timesteps": 1,  # then until the last has arrived
        "use_libsumo": True,
    }
    records = {"records_folder": str(folder), "plots_folder": str(folder), "plot_choices": "none"}
    return TrafficEnvironment(
        seed=0,
        create_agents=False,
        create_paths=False,
        simulator_parameters=simulator | setup["settings"].get("simulator_parameters", {}),
        path_generation_parameters={
            "origins": setup["origins"],
            "destinations": setup["destinations"],
            "number_of_paths": setup["num_paths"],
            "visualize_paths": False,
        },
        plotter_parameters=records,
        environment_parameters=setup["settings"].get("environment_parameters", {}),
        agent_parameters={"num_agents": len(setup["days"][0]), "new_machines_after_mutation": 0},
    )


def drive(env: Any, choices: list[int]) -> float:
    """One day with these alternatives; the mean travel time in seconds."""
    for human in env.human_agents:
        human.act = lambda _, taken=choices[int(human.id)]: taken
    env.step()
    times = [60.0 * entry["travel_time"] for entry in env.last_episode_travel_times]
    return sum(times) / len(times)


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # RouteRL and SUMO print
    import sumo  # pyright: ignore[reportMissingTypeStubs]

    os.environ["SUMO_HOME"] = sumo.SUMO_HOME
    folder = Path(sys.argv[1])
    setup = json.loads((folder / "setup.json").read_text())
    env = environment(folder, setup)
    env.human_learning = False
    env.start()
    env.reset()
    for _ in sys.stdin:
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        means = [drive(env, choices) for choices in setup["days"]]
        spent = [time.process_time() - cpu_s, time.perf_counter() - wall_s]
        answers.write(json.dumps({"spent": spent, "means_s": means}) + "\n")
        answers.flush()
    env.stop_simulation()


if __name__ == "__main__":
    main()
