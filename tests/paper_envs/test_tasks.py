"""Every task by its name is an environment as the learner expects it."""

import pytest

from paper_envs.tasks import TASKS, make_env
from ss_core.testing import check_env


@pytest.mark.parametrize("name", TASKS)
def test_every_task_passes_the_examiner(name: str) -> None:
    check_env(make_env(name, 2))


OTHERS = [("predation", "state"), ("navigation", "places")]
SPARSE = [(name, "egocentric") for name in TASKS if name.startswith(("cleanup", "harvest"))]


@pytest.mark.parametrize(("name", "encoding"), OTHERS + SPARSE)
def test_so_it_does_in_its_other_encoding(name: str, encoding: str) -> None:
    check_env(make_env(name, 2, num_agents=2, options={"encoding": encoding}))
