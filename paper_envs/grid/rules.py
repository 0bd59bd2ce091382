"""What happens to apples and waste: compiled rules of one environment, written into its arrays.

`apples`, `waste` and `beams` hold 0 or 1 per cell, walls included; `cells` are the agents' places.
"""

from typing import no_type_check

from numba import njit

from paper_envs.grid.moves import CLEAN
from paper_envs.grid.streams import draw_below, draw_chance, draw_unit, shuffle


@njit(cache=True)
@no_type_check
def place_agents(cells, facings, spawn_cells, ground_cells, fixed_facing, stream, order):
    """Random distinct spawn cells; where these run out, random bare ground.

    A `fixed_facing` below 0 means any facing; `order` is scratch space of one number per agent.
    """
    for i in range(len(cells)):
        order[i] = i
        cells[i] = -1
        facings[i] = draw_below(stream, 4) if fixed_facing < 0 else fixed_facing
    shuffle(stream, order)
    spawned = min(len(cells), len(spawn_cells))
    for rank in range(spawned):
        cells[order[rank]] = _free_cell(spawn_cells, len(spawn_cells) - rank, cells, stream)
    for rank in range(spawned, len(cells)):
        free = len(ground_cells) - (rank - spawned)
        cells[order[rank]] = _free_cell(ground_cells, free, cells, stream)


@njit(cache=True)
@no_type_check
def _free_cell(choices, free, cells, stream):
    """One of the `free` choices on which nobody stands; -1 if there is none."""
    passed = draw_below(stream, free)
    for cell in choices:
        if not is_occupied(cells, cell):
            if passed == 0:
                return cell
            passed -= 1
    return -1


@njit(cache=True)
@no_type_check
def eat_apples(cells, apples, rewards):
    """An agent on an apple eats it and earns 1."""
    for i in range(len(cells)):
        rewards[i] = apples[cells[i]]
        apples[cells[i]] = 0


@njit(cache=True)
@no_type_check
def find_apples_in_reach(cells, apples, offsets, in_reach):
    """Which agents have an apple on one of the four cells around them."""
    for i in range(len(cells)):
        in_reach[i] = False
        for direction in range(4):
            if apples[cells[i] + offsets[direction]]:
                in_reach[i] = True


@njit(cache=True)
@no_type_check
def is_occupied(cells, cell):
    """Whether an agent stands there."""
    taken = False
    for i in range(len(cells)):
        taken |= cells[i] == cell
    return taken


@njit(cache=True)
@no_type_check
def fire_beams(
    cells, facings, actions, walls, offsets, length, stream, waste, beams, cleaned, order
):
    """Fire the cleaning beams of those who chose to, one after the other in random order.

    `cleaned` counts the cells that each agent has cleaned; `order` is scratch space.
    """
    shooters = 0
    for i in range(len(cells)):
        cleaned[i] = 0
        if actions[i] == CLEAN:
            order[shooters] = i
            shooters += 1
    for cell in range(len(beams)):
        beams[cell] = 0
    shuffle(stream, order[:shooters])
    for rank in range(shooters):
        i = order[rank]
        ahead = offsets[facings[i]]
        side = offsets[(facings[i] + 1) % 4]
        for start in (cells[i] + ahead, cells[i] + side, cells[i] - side):
            cleaned[i] += _sweep_lane(start, ahead, length, cells, walls, waste, beams)


@njit(cache=True)
@no_type_check
def _sweep_lane(start, ahead, length, cells, walls, waste, beams):
    """One lane: up to `length` cells, to the first wall, agent or waste; returns waste removed."""
    for reach in range(length):
        cell = start + reach * ahead
        if walls[cell]:
            return 0
        beams[cell] = 1
        if waste[cell]:
            waste[cell] = 0
            return 1
        if is_occupied(cells, cell):
            return 0
    return 0


@njit(cache=True)
@no_type_check
def apple_chance(waste_count, river_size, depletion, most):
    """Chance of an apple on a free orchard cell: `most` in a clean river, 0 in a depleted one."""
    return most * (1.0 - waste_count / river_size / depletion)


@njit(cache=True)
@no_type_check
def spawn_apples(apple_cells, cells, chance, stream, apples):
    """Each free orchard cell without an agent grows an apple with the same chance."""
    for cell in apple_cells:
        if not apples[cell] and draw_chance(stream, chance) and not is_occupied(cells, cell):
            apples[cell] = 1


@njit(cache=True)
@no_type_check
def spawn_waste(river_cells, chance, stream, waste):
    """Clean river cells are tried in random order until one becomes waste: at most one per step."""
    clean = 0
    for cell in river_cells:
        clean += 1 - waste[cell]
    for _ in range(clean):
        if draw_chance(stream, chance):
            chosen = draw_below(stream, clean)
            for cell in river_cells:
                if not waste[cell]:
                    if chosen == 0:
                        waste[cell] = 1
                        return
                    chosen -= 1


@njit(cache=True)
@no_type_check
def count_neighbours(apples, cell, row):
    """Apples on the eight cells around; `row` is the offset of one row."""
    count = 0
    for middle in range(cell - row, cell + row + 1, row):
        count += apples[middle - 1] + apples[middle] + apples[middle + 1]
    return count - apples[cell]


@njit(cache=True)
@no_type_check
def regrow_apples(apple_cells, cells, chances, row, stream, apples, grown):
    """Free cells regrow with a chance that rises with the apples around, as they are before.

    `chances` is indexed by that number and does not fall; its last entry serves all larger ones.
    `grown` is scratch space of one number per apple cell.
    """
    most = len(chances) - 1
    count = 0
    for cell in apple_cells:
        if apples[cell]:
            continue
        drawn = draw_unit(stream)
        if drawn >= chances[most]:  # whatever lies around: not worth counting
            continue
        neighbours = min(count_neighbours(apples, cell, row), most)
        if drawn < chances[neighbours] and not is_occupied(cells, cell):
            grown[count] = cell
            count += 1
    for cell in grown[:count]:
        apples[cell] = 1
