"""Small runs of the real command line inside this process, for tests. Not collected by pytest."""

from collections.abc import Sequence
from pathlib import Path

from cli.app import run
from cli.commands import traffic as sstraffic
from tests.support.small_nets import QUIET, TWO_ROUTE, trips, write_net
from trafficsim.demand.trips import VehicleType, demand_file

QUICK = (
    *("--days", "2", "--budget", "4", "--set", "evaluations=1", "--set", "evaluation_days=2"),
    *("--set", "learner.num_envs=2", "--set", "search.optimum_simulations=6"),
    *("--set", "trial_days=2"),
    *("--set", "search.max_sweeps=2"),
    *("--set", "search.days=2", "--set", "search.deviations=2", "--set", "search.draws=2"),
    *("--set", "search.model_days=400", "--set", "search.candidates=2"),
)


def two_routes(
    folder: Path, count: int = 6, headway_s: float = 3.0, kind: VehicleType = QUIET
) -> str:
    """`./two.net.xml` in the folder, with a demand beside it."""
    write_net(folder, TWO_ROUTE, "two.net.xml")
    (folder / "two.trips.xml").write_text(demand_file(trips(count, headway_s, kind)))
    return "./two.net.xml"


def sstraffic_run(*options: str, quick: bool = True) -> int:
    """Exit code of `sstraffic run` with these options."""
    given: Sequence[str] = QUICK if quick else ()
    return run(sstraffic.cli, "sstraffic", ["run", *given, *options])


def only_run(out: Path) -> Path:
    """The one run below a folder."""
    (folder,) = out.iterdir()
    return folder
