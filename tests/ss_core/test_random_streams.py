import ast
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ss_core.random_streams import (
    MOST_INDICES,
    Stream,
    drawn_seed,
    numpy_generator,
    seed_sequence,
    torch_generator,
)

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ss_core", "gridsim", "trafficsim", "paper_envs", "cli")
SEEDING = {"default_rng", "manual_seed", "SeedSequence", "RandomState", "Random", "seed"}
OUTSIDE = {  # who is handed a seed, and why it seeds generators itself
    "ss_core/random_streams.py": "the register",
    "ss_core/adapters/pettingzoo.py": "obeys `reset(seed)` as PettingZoo has it",
    "trafficsim/signals/env.py": "likewise",
    "trafficsim/sumo/free_flow.py": "stands in for SUMO, which takes a number",
    "paper_envs/predation.py": "rules of a task, seeded by `reset`",
    "paper_envs/navigation.py": "likewise",
    "paper_envs/grid/streams.py": "compiled rules, likewise",
    "gridsim/network/pandapower_io.py": "pandapower's creators draw from Python's own generator",
}
KEYS = st.tuples(
    st.integers(0, 2**64 - 1),
    st.sampled_from(Stream),
    st.lists(st.integers(0, 2**64 - 1), max_size=MOST_INDICES).map(tuple),
)


def words(seed: int, stream: Stream, *index: int) -> list[int]:
    return seed_sequence(seed, stream, *index).generate_state(4).tolist()


# numbers worked


def test_a_key_is_the_words_of_seed_stream_and_indices() -> None:
    assert seed_sequence(2**32 + 5, Stream.LIARS).entropy == [
        *(5, 1),  # seed
        *(Stream.LIARS, 0),
        *(0, 0),  # number of indices
        *(0, 0, 0, 0, 0, 0, 0, 0),
    ]
    assert seed_sequence(7, Stream.NOISE, 2**32, 3).entropy == [
        *(7, 0),
        *(Stream.NOISE, 0),
        *(2, 0),
        *(0, 1, 3, 0, 0, 0, 0, 0),
    ]


def test_streams_stay_what_they_are() -> None:
    assert numpy_generator(7, Stream.LIARS).random() == 0.6496864614538276
    assert numpy_generator(7, Stream.NEIGHBOURS, 3).integers(10**9) == 651980338
    assert (
        torch.rand((), generator=torch_generator(7, Stream.NOISE, 3)).item() == 0.7932442426681519
    )
    assert drawn_seed(7, Stream.TRAINING_EPISODES, 3) == 166_468_545
    values = {stream.name: int(stream) for stream in Stream}
    assert values["BOOTSTRAP"] == 201
    assert values["HELD_OUT_DAYS"] == 303
    assert values["POPULATION"] == 401
    assert values["DEMAND"] == 501


# what keeps streams apart


def test_no_two_purposes_give_the_same_numbers() -> None:
    drawn = [tuple(words(seed, stream)) for seed in range(5) for stream in Stream]
    assert len(set(drawn)) == 5 * len(Stream)
    seeds = [drawn_seed(0, stream, i) for stream in Stream for i in range(5)]
    assert len(set(seeds)) == 5 * len(Stream)
    starts = [torch_generator(0, stream).initial_seed() for stream in Stream]
    assert len(set(starts)) == len(Stream)


def test_indices_are_not_padded_to_those_of_another_stream() -> None:
    tails = [(7,), (7, 0), (7, 0, 0), (0, 7), (), (0,), (0, 0), (2**32,), (0, 1), (1, 0), (1,)]
    drawn = [tuple(words(7, Stream.LIES, *tail)) for tail in tails]
    assert len(set(drawn)) == len(tails)


def test_seeds_are_not_padded_to_those_of_another_stream() -> None:
    drawn = [tuple(words(seed, Stream.LIES)) for seed in (0, 1, 7, 2**32, 7 + 2**32, 2**64 - 1)]
    assert len(set(drawn)) == 6


@given(KEYS, KEYS)
def test_keys_are_of_one_length_and_equal_only_where_all_parts_are(
    one: tuple[int, Stream, tuple[int, ...]], other: tuple[int, Stream, tuple[int, ...]]
) -> None:
    first = seed_sequence(one[0], one[1], *one[2]).entropy
    second = seed_sequence(other[0], other[1], *other[2]).entropy
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert len(first) == len(second) == 2 * (3 + MOST_INDICES)
    assert all(0 <= word < 2**32 for word in first)
    assert (first == second) == (one == other)


def test_no_stream_depends_on_what_was_drawn_before() -> None:
    def draws(order: list[Stream]) -> dict[Stream, tuple[float, float, int]]:
        return {
            stream: (
                float(numpy_generator(3, stream).random()),
                float(torch.rand((), generator=torch_generator(3, stream))),
                drawn_seed(3, stream),
            )
            for stream in order
        }

    assert draws([*Stream]) == draws([*reversed(Stream)])


def test_generators_follow_from_the_seed_and_two_are_not_shared() -> None:
    one, other = numpy_generator(1, Stream.DEMAND), numpy_generator(1, Stream.DEMAND)
    assert one.random(3).tolist() == other.random(3).tolist()
    assert numpy_generator(2, Stream.DEMAND).random() != numpy_generator(1, Stream.DEMAND).random()


def test_drawn_seeds_are_what_sumo_takes() -> None:
    drawn = [drawn_seed(seed, Stream.HELD_OUT_DAYS, day) for seed in range(20) for day in range(50)]
    assert min(drawn) >= 0
    assert 2**30 < max(drawn) < 2**31
    assert len(set(drawn)) == 1000


@pytest.mark.parametrize(
    ("seed", "index"), [(-1, ()), (2**64, ()), (0, (-1,)), (0, (2**64,)), (0, (0,) * 5)]
)
def test_numbers_out_of_range_are_refused(seed: int, index: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"2\^64|at most 4"):
        seed_sequence(seed, Stream.LIARS, *index)


# no other source of random numbers


def seeding_calls(tree: ast.AST) -> list[ast.Call]:
    """Calls that begin a stream of random numbers."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in calls if _last_name(call.func) in SEEDING]


def seedings(tree: ast.AST) -> list[str]:
    """The same, as `name:line`."""
    return [f"{_last_name(call.func)}:{call.lineno}" for call in seeding_calls(tree)]


def _last_name(function: ast.expr) -> str:
    return ast.unparse(function).rsplit(".", maxsplit=1)[-1]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_stream_below_a_seed_is_drawn_from_the_register(package: str) -> None:
    found = {
        name: calls
        for path in sorted((ROOT / package).rglob("*.py"))
        if (name := path.relative_to(ROOT).as_posix()) not in OUTSIDE
        if (calls := seedings(ast.parse(path.read_bytes())))
    }
    assert found == {}


def test_those_outside_the_register_seed_with_what_they_are_handed() -> None:
    for name in OUTSIDE.keys() - {"ss_core/random_streams.py"}:
        tree = ast.parse((ROOT / name).read_bytes())
        assert seedings(tree), name
        seeds = [seed for call in seeding_calls(tree) for seed in call.args]
        assert [ast.unparse(s) for s in seeds if not isinstance(s, ast.Name)] == [], name


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("np.random.default_rng([seed, 3])", ["default_rng:1"]),
        ("torch.Generator().manual_seed(seed * 1009)", ["manual_seed:1"]),
        ("SeedSequence(seed)", ["SeedSequence:1"]),
        ("random.seed(7)", ["seed:1"]),
        ("numpy_generator(seed, Stream.LIARS)", []),
        ("env.reset(seed)", []),
    ],
)
def test_the_check_sees_what_it_should(source: str, expected: list[str]) -> None:
    assert seedings(ast.parse(source)) == expected
