"""One door for many tasks: processes of this machine or a Ray cluster, with the same results."""

from collections.abc import Callable, Sequence
from typing import Literal

from ss_core.processes import pool
from ss_core.processes.child_tasks import Task

Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = ("local", "ray")


def carry_out_tasks(
    tasks: Sequence[Task],
    workers: int,
    observe: pool.Observe,
    *,
    engine: Engine = "local",
    address: str | None = None,
    time_is_up: Callable[[], bool] = lambda: False,
) -> list[pool.Failure]:
    """Carry out all tasks; returns those that failed. `address`: of a Ray cluster.

    Raises:
        ConfigError: Ray is asked for and not installed.
        Interrupted: SIGINT or SIGTERM; what the tasks had committed is kept.
        ResourceError: disk or memory is exhausted, or there is no cluster at the address.
    """
    if engine == "ray":
        from ss_core.processes.ray_pool import run_on_ray

        return run_on_ray(tasks, workers, observe, address=address, time_is_up=time_is_up)
    return pool.run_pool(tasks, workers, observe, time_is_up=time_is_up)
