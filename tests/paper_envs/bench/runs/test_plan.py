"""What the benchmark runs: profiles, experiments, selections, and the folder that remembers it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_envs.bench.results.results import Cell
from paper_envs.bench.runs.folder import BenchFolder, Conditions, fresh_folder
from paper_envs.bench.runs.plan import (
    ALGORITHMS,
    PROFILES,
    Plan,
    ProfileName,
    Selection,
    experiments_of,
    make_plan,
)
from paper_envs.bench.runs.progress import Row, start_progress
from paper_envs.bench.runs.run import train_run
from paper_envs.presets import ABLATIONS, VARIANTS, episodes
from paper_envs.tasks import TASKS
from ss_core.config import to_dict
from ss_core.errors import ConfigError, CorruptError, RunLockedError
from tests.support.small_bench import SMALL, small_spec

HERE = Conditions(profile="quick", device="cpu", package="0.1.0")


def plan(profile: ProfileName = "quick", **selection: Any) -> Plan:
    return make_plan(profile, Selection(**selection), ABLATIONS)


# plans


def test_a_small_selection_is_what_one_would_write_by_hand() -> None:
    made = plan("smoke", envs=("predation",), presets=("tuned",))
    assert made.cells == (
        Cell(task="predation", num_agents=2, preset="tuned", algorithm="ss"),
        Cell(task="predation", num_agents=2, preset="tuned", algorithm="independent"),
    )
    assert (made.seeds, len(made.runs)) == ((100, 101), 4)


def test_the_main_comparison_has_every_algorithm_on_every_task_but_no_morals_without_a_word() -> (
    None
):
    profiles: dict[ProfileName, str] = {"full": "tuned", "literal": "paper"}
    for profile, preset in profiles.items():
        main = experiments_of(PROFILES[profile], ABLATIONS)["main"]
        for task in ("predation", "navigation", "cleanup", "harvest"):
            found = [c for c in main if (c.task, c.preset, c.variant) == (task, preset, "")]
            expected = set(ALGORITHMS) - ({"imr"} if task == "navigation" else set())
            assert {cell.algorithm for cell in found} == expected
        assert len(main) == 4 * 8 - 1  # seven algorithms and ρ = 0, once without morals


def test_quick_has_the_full_size_grid_worlds_with_fewer_algorithms() -> None:
    main = experiments_of(PROFILES["quick"], ABLATIONS)["main"]
    for task in ("cleanup", "harvest"):
        cells = [cell for cell in main if cell.task == task]
        assert {cell.algorithm for cell in cells} == {"ss", "independent", "vs"}
        assert {cell.num_agents for cell in cells} == {TASKS[task].num_agents}


@pytest.mark.parametrize("profile", PROFILES)
def test_no_profile_has_a_task_and_its_small_variant(profile: ProfileName) -> None:
    tasks = {cell.task for cell in plan(profile).cells}
    assert not {name for name in tasks if f"{name}-small" in tasks}
    assert profile == "smoke" or all(TASKS[name].in_paper for name in tasks)


def test_the_published_settings_have_a_profile_of_their_own() -> None:
    presets = {name: {cell.preset for cell in plan(name).cells} for name in PROFILES}
    assert presets == {
        "smoke": {"paper", "tuned"},
        "quick": {"tuned"},
        "full": {"tuned"},
        "literal": {"paper"},
    }
    for cell in plan("literal").cells:
        published = TASKS[cell.task].published_episodes
        found = episodes(cell.task, cell.num_agents, cell.preset, "literal")
        assert found == published


def test_numbers_of_agents_are_tried_on_full_size_grids_with_few_seeds_for_a_crowd() -> None:
    made = plan("full")
    for task in ("cleanup", "harvest"):
        for algorithm in ("ss", "independent"):
            sizes = {
                cell.num_agents
                for cell in made.cells
                if (cell.task, cell.algorithm) == (task, algorithm) and cell.variant in ("", "m4")
            }
            assert sizes == {2, 4, 8, 16}
    crowd = [cell for cell in made.cells if cell.num_agents == 16]
    assert {cell.variant for cell in crowd if cell.algorithm == "ss"} == {"m4"}
    assert {made.seeds_of(cell) for cell in crowd} == {(100, 101, 102)}
    others = {made.seeds_of(cell) for cell in made.cells if cell not in crowd}
    assert others == {(100, 101, 102, 103, 104)}
    assert len(made.runs) == 5 * (len(made.cells) - len(crowd)) + 3 * len(crowd)
    asked = plan("full", num_seeds=4)
    assert {asked.seeds_of(cell) for cell in asked.cells} == {(100, 101, 102, 103)}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_cell_is_run_once_and_every_name_in_it_is_known(profile: ProfileName) -> None:
    made = plan(profile)
    assert len({cell.slug for cell in made.cells}) == len(made.cells)
    assert {cell for _, cells in made.experiments for cell in cells} == set(made.cells)
    for cell in made.cells:
        fewest, most = TASKS[cell.task].agent_counts
        assert fewest <= cell.num_agents <= most
        assert cell.variant in {"", *VARIANTS}


def test_profiles_grow() -> None:
    smoke, quick, full = (set(plan(profile).cells) for profile in ("smoke", "quick", "full"))
    assert len(smoke) < len(quick) < len(full)
    assert quick < full


@given(
    envs=st.sets(st.sampled_from(["predation", "navigation", "cleanup"])),
    algorithms=st.sets(st.sampled_from(["ss", "independent", "vps"])),
    presets=st.sets(st.sampled_from(["tuned"])),
)
def test_a_selection_leaves_what_it_names_and_nothing_else(
    envs: set[str], algorithms: set[str], presets: set[str]
) -> None:
    made = plan(envs=tuple(envs), algorithms=tuple(algorithms), presets=tuple(presets))
    for cell in plan().cells:
        wanted = (
            cell.task in (envs or {cell.task})
            and cell.algorithm in (algorithms or {cell.algorithm})
            and cell.preset in (presets or {cell.preset})
        )
        assert (cell in made.cells) is wanted


@pytest.mark.parametrize(
    ("profile", "selection", "words"),
    [
        ("quick", {"envs": ("predatoin",)}, r"--env 'predatoin'.*did you mean 'predation'"),
        ("quick", {"envs": ("cleanup-small",)}, r"--env 'cleanup-small'.*--profile smoke"),
        ("full", {"presets": ("paper",)}, "`--profile literal` has it"),
        ("quick", {"algorithms": ("indepedent",)}, r"did you mean 'independent'"),
        ("smoke", {"algorithms": ("vps",)}, r"not in the profile 'smoke'.*It has: ss, independent"),
        ("smoke", {"algorithms": ("ps",)}, "`--profile quick` has it"),
        ("smoke", {"envs": ("harvest",)}, "`--profile quick` has it"),
        (
            "quick",
            {"envs": ("navigation",), "algorithms": ("imr",)},
            "no run of --env navigation with --algorithm imr together; nor has any other; leave "
            "out --env or --algorithm",
        ),
        ("quick", {"envs": ("cleanup",), "algorithms": ("ps",)}, "`--profile full` has it"),
        ("quick", {"num_seeds": 0}, "--seeds 0: from 1"),
    ],
)
def test_a_selection_that_makes_no_sense_is_told_with_the_nearest_name(
    profile: ProfileName, selection: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        plan(profile, **selection)


# the folder


def register(path: Path, *seeds: int, **changes: Any) -> None:
    specs = [small_spec(path / f"runs/{SMALL.slug}/seed{s}", seed=s, **changes) for s in seeds]
    with BenchFolder(path, HERE) as folder:
        folder.register(specs)


def test_a_folder_remembers_its_conditions_and_takes_more_seeds(tmp_path: Path) -> None:
    register(tmp_path, 100)
    register(tmp_path, 100, 101)
    document = json.loads((tmp_path / "bench.json").read_bytes())
    assert document["schema"] == "ss.bench/1"
    assert (document["profile"], document["package"]) == ("quick", "0.1.0")
    assert document["cells"][SMALL.slug]["seeds"] == [100, 101]
    with BenchFolder(tmp_path, HERE) as folder:
        results, missing = folder.results()
    assert (results, missing) == ([], [f"{SMALL.slug}/seed100", f"{SMALL.slug}/seed101"])


def test_registering_the_same_again_changes_no_byte(tmp_path: Path) -> None:
    register(tmp_path, 100)
    before = (tmp_path / "bench.json").read_bytes()
    register(tmp_path, 100)
    assert (tmp_path / "bench.json").read_bytes() == before


def test_results_and_missing_runs_are_told_apart(tmp_path: Path) -> None:
    spec = small_spec(tmp_path / f"runs/{SMALL.slug}/seed100", updates=1)
    with BenchFolder(tmp_path, HERE) as folder:
        folder.register([spec, replace(spec, seed=101)])
        assert train_run(to_dict(spec), lambda *_: None, lambda: False)
        results, missing = folder.results()
    assert [result.seed for result in results] == [100]
    assert missing == [f"{SMALL.slug}/seed101"]


def test_other_settings_of_the_same_condition_are_refused(tmp_path: Path) -> None:
    register(tmp_path, 100)
    with pytest.raises(ConfigError, match=r"other settings.*--fresh"):
        register(tmp_path, 101, updates=5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"package": "0.2.0"}, r"begun with package '0\.1\.0', not '0\.2\.0'"),
        ({"profile": "full"}, r"begun with profile 'quick', not 'full'"),
        ({"device": "cuda"}, r"begun with device 'cpu', not 'cuda'"),
    ],
)
def test_a_folder_of_other_conditions_is_refused(
    tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    register(tmp_path, 100)
    with pytest.raises(ConfigError, match=words):
        BenchFolder(tmp_path, replace(HERE, **changes))


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"holds other files.*--out"):
        BenchFolder(tmp_path, HERE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ConfigError, match="is a file"):
        BenchFolder(tmp_path / "thesis.tex", HERE)


@pytest.mark.parametrize("damage", ["{", "[]", '{"schema": "ss.bench/1"}', "edit"])
def test_a_damaged_description_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    register(tmp_path, 100)
    path = tmp_path / "bench.json"
    edited = path.read_text().replace("100", "107")
    path.write_text(edited if damage == "edit" else damage)
    with pytest.raises(CorruptError, match=r"bench\.json: not the description"):
        BenchFolder(tmp_path, HERE)
    path.write_text(edited.replace("ss.bench/1", "ss.bench/9").replace("107", "100"))
    with pytest.raises(ConfigError, match=r"'ss\.bench/9'"):
        BenchFolder(tmp_path, HERE)


def test_two_benchmarks_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        BenchFolder(tmp_path, HERE),
        pytest.raises(RunLockedError),
    ):
        BenchFolder(tmp_path, HERE)


def test_a_fresh_folder_is_the_first_that_is_free(tmp_path: Path) -> None:
    wanted = tmp_path / "paper-quick"
    assert fresh_folder(wanted) == wanted
    wanted.mkdir()
    (tmp_path / "paper-quick-2").mkdir()
    assert fresh_folder(wanted).name == "paper-quick-3"


# how far it is


def test_progress_counts_runs_and_judges_the_time_left() -> None:
    now_s = [100.0]
    other = replace(SMALL, algorithm="independent")
    rows = [Row("a", SMALL, 30.0), Row("b", SMALL, 30.0), Row("c", other, 10.0)]
    rows += [Row("d", other, 30.0)]
    so_far = start_progress(rows, ["d"], lambda: now_s[0])
    assert (so_far.num_done, so_far.num_total, so_far.share, so_far.left_s()) == (1, 4, 0.3, None)
    so_far.note("a", "working", 0, 3, "")
    assert so_far.left_s() is None
    now_s[0] = 120.0
    so_far.note("a", "working", 1, 3, "-2.5")  # a tenth of all work in 20 s
    assert so_far.share == pytest.approx(0.4)
    assert so_far.left_s() == pytest.approx(120.0)
    group = so_far.groups["predation 2 tuned", "ss"]
    assert (group.total, group.done, group.under_way, group.last_return) == (2, 0, 1, "-2.5")
    so_far.note("a", "again", 0, 1, "its process died")
    assert (group.under_way, so_far.share) == (0, pytest.approx(0.3))
    so_far.note("a", "working", 3, 3, "-1")
    so_far.note("a", "done", 1, 1, "")
    so_far.note("b", "working", 1, 3, "-3")
    so_far.note("b", "failed", 0, 1, "broken")
    so_far.note("c", "done", 1, 1, "")
    assert (so_far.num_done, so_far.num_failed, so_far.ended, so_far.share) == (3, 1, True, 1.0)
    assert (group.done, group.failed, group.under_way) == (1, 1, 0)


def test_what_a_run_only_continues_does_not_shorten_the_time_left() -> None:
    now_s = [0.0]
    so_far = start_progress([Row("a", SMALL, 30.0), Row("b", SMALL, 10.0)], [], lambda: now_s[0])
    so_far.note("a", "working", 8, 10, "")  # as its checkpoint has it
    assert (so_far.share, so_far.left_s()) == (pytest.approx(0.6), None)
    now_s[0] = 30.0
    so_far.note("a", "working", 9, 10, "")  # 3 of the 40 in 30 s; 13 are left
    assert so_far.left_s() == pytest.approx(130.0)
