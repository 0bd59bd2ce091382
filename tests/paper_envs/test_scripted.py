import numpy as np
import pytest

from paper_envs.grid.cleanup import CLEANUP, SMALL_CLEANUP
from paper_envs.grid.harvest import HARVEST, SMALL_HARVEST, HarvestGame
from paper_envs.grid.maps import parse_map
from paper_envs.grid.moves import (
    CLEAN,
    DOWN,
    LEFT,
    RIGHT,
    STAY,
    TURN_CLOCKWISE,
    TURN_COUNTERCLOCKWISE,
    UP,
)
from paper_envs.grid.streams import seeded_streams
from paper_envs.scripted import GREEDY, Foragers, RandomPlay, play, reference
from tests.support.grid_drawings import state_of, still_cleanup, walled

TABLE_ERROR = 1.9  # largest standard error of the table compared with: 15 to 60 episodes a row


def choices(game, script, *rows: str, t: int = 0, seed: int = 0) -> list[int]:
    """What agents do, in the numbers of `moves`."""
    state = state_of(game.grid_map, *rows)
    numbers = script.actions(game, state, t, seeded_streams(seed, 1))[0]
    return [game.actions[number] for number in numbers]


def orchard(*rows: str) -> HarvestGame:
    return HarvestGame(name="orchard", grid_map=parse_map(walled(*rows)))


def test_the_greedy_walk_to_the_nearest_apple_whichever_way_they_face() -> None:
    game = orchard("A    A")
    for symbol, action in zip("^>v<", (RIGHT, UP, LEFT, DOWN), strict=True):
        assert choices(game, GREEDY, f"A..{symbol}.A") == [action]


def test_the_greedy_stay_when_nothing_is_left() -> None:
    assert choices(orchard("A    A"), GREEDY, "...^..") == [STAY]


def test_ties_are_broken_at_random() -> None:
    game = orchard("A   A")
    walks = [choices(game, GREEDY, "A.^.A", seed=seed)[0] for seed in range(100)]
    assert set(walks) == {LEFT, RIGHT}
    assert 30 < walks.count(LEFT) < 70


def test_who_is_in_the_way_is_walked_around() -> None:
    walks = {choices(orchard("   A", "    "), GREEDY, "^^.A", "....", seed=s)[0] for s in range(20)}
    assert walks == {DOWN}


def test_the_restrained_spare_apples_with_few_neighbours_until_their_time_comes() -> None:
    game = orchard("A   AA", "    AA")
    script = Foragers(min_neighbours=3, free_from=10)
    before = ("A^..AA", "....AA")
    assert choices(game, script, *before, t=9) == [RIGHT]
    assert choices(game, script, *before, t=10) == [LEFT]
    assert choices(game, Foragers(min_neighbours=4, free_from=10), *before) == [STAY]


def test_only_the_first_agents_are_restrained_if_so_many_are_asked_for() -> None:
    game = orchard("A     A")
    script = Foragers(min_neighbours=1, free_from=10, restrained=1)
    assert choices(game, script, "A^...^A") == [STAY, RIGHT]


def test_spared_apples_are_walked_around() -> None:
    game = orchard("  A AA", "    AA")
    script = Foragers(min_neighbours=3, free_from=10)
    assert choices(game, script, ".^A.AA", "....AA") == [DOWN]


def test_a_cleaner_fires_where_most_waste_goes_per_step() -> None:
    game = still_cleanup(*["RRRR    "] * 3)
    one = Foragers(cleaners=1)
    assert choices(game, one, "...H....", "...H<...", "...H....") == [CLEAN]
    assert choices(game, one, "...H....", "...H^...", "...H....") == [TURN_COUNTERCLOCKWISE]
    assert choices(game, one, "...H....", "...Hv...", "...H....") == [TURN_CLOCKWISE]
    assert choices(game, one, "........", "....<...", "........") == [STAY]
    # out of reach: it walks ahead
    assert choices(game, one, "........", "H......<", "........") == [UP]


def test_only_the_first_agents_clean() -> None:
    game = still_cleanup("HB   ")
    assert choices(game, Foragers(cleaners=1), "HA<.<") == [CLEAN, UP]
    assert choices(game, Foragers(cleaners=2), "HA<.<") == [CLEAN, CLEAN]
    assert choices(game, Foragers(), "HA<.<") == [UP, UP]


def test_cleaners_take_turns_and_eat_when_off_duty() -> None:
    game, board = still_cleanup("HB     "), "HA<.<.<"
    turns = Foragers(cleaners=2, shift=10)  # the third agent never cleans
    for t, expected in ((0, [CLEAN, UP, UP]), (9, [CLEAN, UP, UP]), (10, [UP, CLEAN, UP])):
        assert choices(game, turns, board, t=t) == expected
    assert choices(game, turns, board, t=20) == choices(game, turns, board, t=0)


def test_cleaning_in_turns_feeds_all_who_clean() -> None:
    shared = reference(CLEANUP, Foragers(cleaners=4, shift=50), num_agents=4)
    assert min(shared.agent_apples) > 15
    assert reference(CLEANUP, Foragers(cleaners=4), num_agents=4).apples < 1


def test_random_play_uses_every_action_alike() -> None:
    state = state_of(HARVEST.grid_map, *["^" + "." * 35, *["." * 36] * 4], copies=7000)
    actions = RandomPlay().actions(HARVEST, state, 0, seeded_streams(0, 7000))
    counts = np.bincount(actions.ravel(), minlength=7)
    assert (abs(counts - 1000) < 4 * 29.3).all()  # σ = √(7000·6/49)


def test_a_reference_is_the_mean_and_its_standard_error_of_what_was_played() -> None:
    earned = play(HARVEST, GREEDY, num_agents=3, episodes=8, seed=4)
    found = reference(HARVEST, GREEDY, num_agents=3, episodes=8, seed=4)
    totals = earned.sum(axis=1)
    assert found.apples == totals.mean() == pytest.approx(sum(found.agent_apples))
    assert found.standard_error == pytest.approx(totals.std(ddof=1) / 8**0.5)
    assert found.averaged_return == totals.mean() / 300


def restraint(min_neighbours: int, free_from: int) -> Foragers:
    return Foragers(min_neighbours=min_neighbours, free_from=free_from)


SAME_SCRIPT = [
    (CLEANUP, RandomPlay(), 2, 0.0),
    (CLEANUP, GREEDY, 2, 0.0),
    (CLEANUP, Foragers(cleaners=2), 2, 0.0),
    (CLEANUP, RandomPlay(), 4, 0.3),
    (CLEANUP, Foragers(cleaners=3), 4, 64.0),
    (HARVEST, RandomPlay(), 2, 16.6),
    (HARVEST, RandomPlay(), 4, 36.2),
    (HARVEST, GREEDY, 2, 72.1),
    (HARVEST, GREEDY, 4, 71.1),
    (HARVEST, GREEDY, 8, 69.4),
    (HARVEST, restraint(1, 60), 2, 75.8),
    (HARVEST, restraint(1, 60), 4, 84.4),
    (HARVEST, restraint(1, 60), 8, 80.9),
]


@pytest.mark.parametrize(("game", "script", "num_agents", "apples"), SAME_SCRIPT)
def test_scripts_earn_what_others_measured(game, script, num_agents, apples) -> None:
    found = reference(game, script, num_agents=num_agents, episodes=100)
    assert abs(found.apples - apples) < 3 * np.hypot(found.standard_error, TABLE_ERROR)


# ours choose stands and paths with more care: at least as good is all one can ask
BETTER_SCRIPT = [
    (CLEANUP, Foragers(cleaners=1), 2, 22.1),
    (CLEANUP, Foragers(cleaners=1), 4, 5.7),
    (CLEANUP, Foragers(cleaners=2), 4, 91.3),
    (CLEANUP, Foragers(cleaners=2), 5, 100.7),
    (HARVEST, restraint(2, 75), 4, 97.9),
    (HARVEST, restraint(3, 75), 4, 104.1),
    (HARVEST, restraint(3, 75), 8, 118.7),
]


@pytest.mark.parametrize(("game", "script", "num_agents", "apples"), BETTER_SCRIPT)
def test_scripts_with_more_care_earn_more_than_others_measured(
    game, script, num_agents, apples
) -> None:
    found = reference(game, script, num_agents=num_agents, episodes=100)
    assert found.apples > apples


def test_restraint_pays_more_the_more_agents_there_are() -> None:
    gains = []
    for num_agents in (2, 4, 8):
        greedy, spared = (
            reference(HARVEST, script, num_agents=num_agents, episodes=100).apples
            for script in (GREEDY, restraint(3, 75))
        )
        gains.append(spared / greedy)
    assert gains == sorted(gains)
    assert gains[1] > 1.4


def test_in_small_harvest_greed_pays_beside_greed_and_ruins_all() -> None:
    spare = Foragers(min_neighbours=3, free_from=92)
    greedy = reference(SMALL_HARVEST, GREEDY, num_agents=3)
    sparing = reference(SMALL_HARVEST, spare, num_agents=3)
    assert greedy.apples < 0.35 * sparing.apples
    for restrained in range(2):  # with a greedy agent about, being greedy pays
        some = Foragers(min_neighbours=3, free_from=92, restrained=restrained)
        one_more = Foragers(min_neighbours=3, free_from=92, restrained=restrained + 1)
        defector = reference(SMALL_HARVEST, some, num_agents=3).agent_apples[restrained]
        sparer = reference(SMALL_HARVEST, one_more, num_agents=3).agent_apples[restrained]
        assert defector > 1.1 * sparer
    one_greedy = Foragers(min_neighbours=3, free_from=92, restrained=2)
    assert reference(SMALL_HARVEST, one_greedy, num_agents=3).apples < 0.5 * sparing.apples


def test_small_cleanup_is_a_dilemma_with_two_and_with_three_agents() -> None:
    for num_agents, cleaners in ((2, 1), (3, 1), (3, 2)):
        nobody = reference(SMALL_CLEANUP, GREEDY, num_agents=num_agents)
        some = reference(SMALL_CLEANUP, Foragers(cleaners=cleaners), num_agents=num_agents)
        fewer = reference(SMALL_CLEANUP, Foragers(cleaners=cleaners - 1), num_agents=num_agents)
        assert nobody.apples < 0.2 * some.apples
        cleaner = cleaners - 1
        assert fewer.agent_apples[cleaner] > some.agent_apples[cleaner] + 1
        assert some.agent_apples[-1] > 5 * max(some.agent_apples[cleaner], 0.1)


@pytest.mark.parametrize("game", [SMALL_CLEANUP, SMALL_HARVEST])
@pytest.mark.parametrize("num_agents", [2, 3])
def test_random_play_of_a_small_game_earns_something(game, num_agents) -> None:
    assert reference(game, RandomPlay(), num_agents=num_agents).apples > 3
