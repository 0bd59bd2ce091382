from collections import Counter

import numpy as np

from paper_envs.grid.streams import (
    draw_below,
    draw_bits,
    draw_chance,
    draw_unit,
    seeded_streams,
    shuffle,
)


def test_streams_draw_the_published_numbers_of_splitmix64() -> None:
    stream = np.array([1234567], np.uint64)
    assert [int(draw_bits(stream)) for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_streams_of_a_small_batch_are_the_first_of_a_large_one() -> None:
    assert np.array_equal(seeded_streams(7, 3), seeded_streams(7, 5)[:3])
    assert len(set(seeded_streams(7, 100).tolist())) == 100
    assert not set(seeded_streams(7, 100).tolist()) & set(seeded_streams(8, 100).tolist())


def test_whole_numbers_are_drawn_evenly() -> None:
    stream = seeded_streams(0, 1)
    counts = Counter(int(draw_below(stream, 6)) for _ in range(60_000))
    assert set(counts) == set(range(6))
    assert all(abs(count - 10_000) < 4 * 91.3 for count in counts.values())  # σ = √(60000·5/36)


def test_chances_and_unit_numbers_have_the_right_mean() -> None:
    stream = seeded_streams(1, 1)
    hits = sum(draw_chance(stream, 0.05) for _ in range(40_000))
    assert abs(hits - 2000) < 4 * 43.6  # σ = √(40000·0.05·0.95)
    units = np.array([draw_unit(stream) for _ in range(10_000)])
    assert 0 <= units.min() < 0.01
    assert 0.99 < units.max() < 1
    assert abs(units.mean() - 0.5) < 4 * 0.0029


def test_what_cannot_happen_never_does_and_what_must_always_does() -> None:
    stream = seeded_streams(2, 1)
    assert not any(draw_chance(stream, 0.0) for _ in range(1000))
    assert all(draw_chance(stream, 1.0) for _ in range(1000))


def test_every_order_of_three_is_shuffled_to_alike() -> None:
    stream = seeded_streams(3, 1)
    orders: Counter[tuple[int, ...]] = Counter()
    for _ in range(12_000):
        items = np.arange(3)
        shuffle(stream, items)
        orders[tuple(items.tolist())] += 1
    assert len(orders) == 6
    assert all(abs(count - 2000) < 4 * 40.8 for count in orders.values())  # σ = √(12000·5/36)
