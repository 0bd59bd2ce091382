"""The corpus of the fuzz targets, what fuzzing found, and random damage to all of it."""

import random
import time
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, found_before
from tests.support.fault_counts import counted, times

CORPUS = Path(__file__).with_name("corpus")
SLOWEST_S = 5.0
WORDS = (b"nan", b"-1", b"1e999", b"null", b"\x00", b"[", b"{}", b"\xff\xfe", b"9" * 400)


def damaged(data: bytes, rng: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        place = rng.randrange(len(spoilt) + 1)
        match rng.randrange(4):
            case 0:
                spoilt[place : place + rng.randint(0, 8)] = rng.randbytes(rng.randint(0, 8))
            case 1:
                del spoilt[place : place + rng.randint(1, 200)]
            case 2:
                spoilt[place:place] = spoilt[max(0, place - 50) : place]
            case _:
                spoilt[place : place + rng.randint(0, 4)] = rng.choice(WORDS)
    return bytes(spoilt)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_refused_or_understood_in_time(name: str) -> None:
    rng, target = random.Random(name), TARGETS[name]
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    assert seeds
    seeds += found_before(name).values()
    slowest_s = 0.0
    for data in [*seeds, b"", *(damaged(rng.choice(seeds), rng) for _ in range(times(60, 2000)))]:
        started_s = time.process_time()
        target(data)
        slowest_s = max(slowest_s, time.process_time() - started_s)
        if name in ("net", "demand", "feeder", "compiled"):
            counted("F9")
    assert slowest_s < SLOWEST_S
