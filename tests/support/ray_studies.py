"""A study on a Ray cluster of two nodes that loses one: `python -m … FOLDER`; for a test."""

import sys
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

from ss_core.experiments.studies.runs import StudyProgress
from ss_core.experiments.studies.study import run_study
from ss_core.processes.engines import carry_out_tasks
from tests.support.small_studies import giving


def main() -> None:
    """Print how many runs are complete, and how many were when the node was lost."""
    quiet: dict[str, Any] = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=quiet)
    other = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    lost: list[int] = []

    def lose_a_node(so_far: StudyProgress) -> None:
        if so_far.done and not lost:
            lost.append(len(so_far.done))
            cluster.remove_node(other, allow_graceful=False)

    def on_the_cluster(*given: Any) -> Any:
        return carry_out_tasks(*given, engine="ray", address=cluster.address)

    summary = run_study(giving(Path(sys.argv[1])), 2, lose_a_node, on_the_cluster)
    cluster.shutdown()
    sys.stdout.write(f"{summary['complete']} {lost[0]}\n")


if __name__ == "__main__":
    main()
