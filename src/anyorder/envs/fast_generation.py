"""BabyAI's levels, drawn in less time: the same draws in the same order, with less work between them.

Each function takes the place of the method that its docstring names, in an environment whose class has none of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, cast

import numpy as np
from minigrid.core.constants import COLOR_NAMES
from minigrid.core.grid import Grid
from minigrid.core.roomgrid import Room, RoomGrid, reject_next_to
from minigrid.core.world_object import Wall, WorldObj
from minigrid.envs.babyai.core.levelgen import LevelGen
from minigrid.envs.babyai.core.roomgrid_level import RejectSampling, RoomGridLevel
from minigrid.envs.babyai.core.verifier import LOC_NAMES, OBJ_TYPES, GoToInstr, Instr, ObjDesc
from minigrid.minigrid_env import MiniGridEnv

from anyorder.envs.fast_view import VECTORS


def gen_grid(level: Any, width: int, height: int) -> None:
    """Draw rooms and a mission until they fit each other; RoomGridLevel._gen_grid."""
    if (width, height) != tuple(number * (level.room_size - 1) + 1 for number in (level.num_cols, level.num_rows)):
        return RoomGridLevel._gen_grid(level, width, height)
    cells = _wall_cells(level.room_size - 1, width, height)
    keeps_walls = type(level).gen_mission.__module__.startswith("minigrid.")  # a level of a user's own might change them
    walls: dict[int, Wall] = {}
    while True:
        try:
            if not walls or not keeps_walls:
                walls = {cell: Wall() for cell in cells}
            _lay_out_rooms(level, Grid(width, height), walls)
            level.gen_mission()
            quicken_instructions([level.instrs])
            level.validate_instrs(level.instrs)
        except RecursionError as error:
            print("Timeout during mission generation:", error)
        except RejectSampling as error:
            print("Sampling rejected:", error)
        else:
            break
    level.surface = level.mission = level.instrs.surface(level)
    return None


def _lay_out_rooms(level: RoomGrid, grid: Grid, walls: Mapping[int, Wall]) -> None:
    """Rooms without doors, and the agent in the middle; RoomGrid._gen_grid, which builds most walls twice."""
    step, rows, columns = level.room_size - 1, level.num_rows, level.num_cols
    level.grid = grid
    for cell, wall in walls.items():
        grid.grid[cell] = wall
    size = (level.room_size, level.room_size)
    level.room_grid = rooms = [[Room((i * step, j * step), size) for i in range(columns)] for j in range(rows)]
    for j, row in enumerate(rooms):
        for i, room in enumerate(row):
            left, top = room.top
            if i < columns - 1:
                room.neighbors[0] = row[i + 1]
                room.door_pos[0] = (left + step, level._rand_int(top + 1, top + step))
            if j < rows - 1:
                room.neighbors[1] = rooms[j + 1][i]
                room.door_pos[1] = (level._rand_int(left + 1, left + step), top + step)
            if i > 0:
                room.neighbors[2], room.door_pos[2] = row[i - 1], row[i - 1].door_pos[0]
            if j > 0:
                room.neighbors[3], room.door_pos[3] = rooms[j - 1][i], rooms[j - 1][i].door_pos[1]
    middle = level.room_size // 2
    level.agent_pos = np.array((columns // 2 * step + middle, rows // 2 * step + middle))
    level.agent_dir = 0


@lru_cache(maxsize=64)
def _wall_cells(step: int, width: int, height: int) -> list[int]:
    return [y * width + x for y in range(height) for x in range(width) if x % step == 0 or y % step == 0]


def place_obj(
    env: MiniGridEnv,
    obj: WorldObj | None,
    top: Any = None,
    size: Any = None,
    reject_fn: Callable[[MiniGridEnv, Any], bool] | None = None,
    max_tries: float = math.inf,
) -> tuple[int, int]:
    """Put a thing into a free cell of a rectangle; MiniGridEnv.place_obj."""
    grid = env.grid
    if grid.__class__ is not Grid:
        return MiniGridEnv.place_obj(env, obj, top, size, reject_fn, max_tries)
    draw: Any = env.np_random.integers if type(env)._rand_int is MiniGridEnv._rand_int else env._rand_int
    cells, width, height = grid.grid, grid.width, grid.height
    left, upper = (0, 0) if top is None else (max(top[0], 0), max(top[1], 0))
    columns, rows = size or (width, height)
    right, lower = min(left + columns, width), min(upper + rows, height)
    agent_x, agent_y = map(int, env.agent_pos)
    near = reject_fn is reject_next_to
    tries = 0
    while True:
        if tries > max_tries:
            raise RecursionError("rejection sampling failed in place_obj")
        tries += 1
        pos = column, row = draw(left, right), draw(upper, lower)
        x, y = int(column), int(row)
        if cells[y * width + x] is not None:
            continue
        distance = abs(x - agent_x) + abs(y - agent_y)
        if distance == 0 or (near and distance < 2):
            continue
        if near or not reject_fn or not reject_fn(env, pos):
            break
    grid.set(x, y, obj)
    if obj is not None:
        obj.init_pos = obj.cur_pos = pos
    return pos


def connect_all(level: RoomGrid, door_colors: Sequence[str] = COLOR_NAMES, max_itrs: int = 5000) -> list[Any]:
    """Add doors until all rooms can be reached; RoomGrid.connect_all."""
    start = level.room_from_pos(*level.agent_pos)
    added: list[Any] = []
    rooms = level.num_rows * level.num_cols
    connected = _num_connected(start) == rooms
    for tries in range(max_itrs + 2):
        if tries > max_itrs:
            raise RecursionError("connect_all failed")
        if connected:
            break
        i, j, k = level._rand_int(0, level.num_cols), level._rand_int(0, level.num_rows), level._rand_int(0, 4)
        room = level.get_room(i, j)
        if not room.door_pos[k] or room.doors[k]:
            continue
        neighbor = room.neighbors[k]
        assert neighbor is not None
        if room.locked or neighbor.locked:
            continue
        door, _ = level.add_door(i, j, k, level._rand_elem(door_colors), False)
        added.append(door)
        connected = _num_connected(start) == rooms
    return added


def _num_connected(start: Any) -> int:
    reached, open_ends = {start}, [start]
    while open_ends:
        room = open_ends.pop()
        for door, neighbor in zip(room.doors, room.neighbors):
            if door and neighbor not in reached:
                reached.add(neighbor)
                open_ends.append(neighbor)
    return len(reached)


def check_objs_reachable(level: RoomGridLevel, raise_exc: bool = True) -> bool:
    """Whether the agent can come to every thing without moving another; RoomGridLevel.check_objs_reachable.

    Raises:
        RejectSampling: if it cannot, unless ``raise_exc`` is False.
    """
    grid = level.grid
    if grid.__class__ is not Grid:
        return RoomGridLevel.check_objs_reachable(level, raise_exc)
    kinds = bytes([_FREE if cell is None else _KINDS.get(cell.type, _THING) for cell in grid.grid])
    x, y = map(int, level.agent_pos)
    reached = _flood(_bits(kinds, _FREE, _DOOR), len(kinds) - 1 - (y * grid.width + x), grid.width, grid.height)
    cut_off = _bits(kinds, _DOOR, _THING) & ~reached
    if cut_off and raise_exc:
        cells = (len(kinds) - 1 - bit for bit in _ones(cut_off))
        raise RejectSampling("unreachable object at " + str(min((n % grid.width, n // grid.width) for n in cells)))
    return not cut_off


def _ones(number: int) -> Iterator[int]:
    while number:
        yield (bit := number.bit_length() - 1)
        number ^= 1 << bit


_FREE, _WALL, _DOOR, _THING = range(4)
_KINDS = {"wall": _WALL, "door": _DOOR}


def _bits(kinds: bytes, *chosen: int) -> int:
    """A number with a bit per cell, the first one highest: 1 for the cells of those kinds."""
    return int(kinds.translate(_digits(chosen)), 2)


@cache
def _digits(chosen: tuple[int, ...]) -> bytes:
    return bytes(ord("1" if kind in chosen else "0") for kind in range(256))


def _flood(passable: int, start: int, width: int, height: int) -> int:
    """The bits of the cells that can be reached over passable ones, and of those that stop the way."""
    first, last = _edges(width, height)
    reached, before = 1 << start, 0
    while reached != before:
        before = reached
        ends = reached & passable
        reached |= (ends & ~first) << 1 | (ends & ~last) >> 1 | ends << width | ends >> width
    return reached


@lru_cache(maxsize=64)
def _edges(width: int, height: int) -> tuple[int, int]:
    """The bits of the first and of the last cell of every row."""
    last = sum(1 << (row * width) for row in range(height))
    return last << (width - 1), last


class FastDesc(ObjDesc):
    """MiniGrid's `ObjDesc`, which looks only at what may be meant."""

    def find_matching_objs(self, env: Any, use_location: bool = True) -> tuple[list[Any], list[tuple[int, int]]]:
        """The things that the description means, and their places, column by column."""
        env = env.unwrapped
        if env.grid.__class__ is not Grid:
            return super().find_matching_objs(env, use_location)
        width, cells = env.grid.width, cast(list[Any], env.grid.grid)
        found = [n for n, cell in enumerate(cells) if cell is not None and self.type in (cell.type, None)]
        things = [(cells[n], (n % width, n // width)) for n in found if self.color in (None, cells[n].color)]
        things.sort(key=itemgetter(1))
        if not use_location:
            things = [(thing, place) for thing, place in things if any(thing is known for known in self.obj_set)]
        elif self.loc:
            things = [(thing, place) for thing, place in things if self._lies_there(env, *place)]
        if use_location:
            self.obj_set = [thing for thing, _ in things]
        self.obj_poss = [place for _, place in things]
        return self.obj_set, self.obj_poss

    def _lies_there(self, env: RoomGridLevel, x: int, y: int) -> bool:
        """Whether that place is in the agent's room and on the side, as the agent faces, that the description names."""
        if not env.room_from_pos(*env.agent_pos).pos_inside(x, y):
            return False
        agent_x, agent_y = map(int, env.agent_pos)
        dx, dy = VECTORS[env.agent_dir]
        ahead = (x - agent_x) * dx + (y - agent_y) * dy
        right = (y - agent_y) * dx - (x - agent_x) * dy
        return {"left": right < 0, "right": right > 0, "front": ahead > 0, "behind": ahead < 0}[self.loc]


def rand_obj(
    level: LevelGen, types: Sequence[str] = OBJ_TYPES, colors: Sequence[str] = COLOR_NAMES, max_tries: int = 100
) -> ObjDesc:
    """Draw descriptions until one means something; LevelGen.rand_obj."""
    for _ in range(max_tries + 1):
        color, kind = level._rand_elem([None, *colors]), level._rand_elem(types)
        side = level._rand_elem(LOC_NAMES) if level.locations and level._rand_bool() else None
        desc = FastDesc(kind, color, side)
        _, places = desc.find_matching_objs(level)
        locked = level.locked_room
        if not level.implicit_unlock and isinstance(locked, Room):
            places = [place for place in places if not locked.pos_inside(*place)]
        if places:
            return desc
    raise RecursionError("failed to find suitable object")


class FastGoTo(GoToInstr):
    """MiniGrid's `GoToInstr`, with one comparison of places instead of one call of numpy for each."""

    def verify_action(self, action: int) -> str:  # type: ignore[override]  # its signature in MiniGrid lacks the action
        """Says "success" if the agent faces something that is meant, else "continue"."""
        return "success" if tuple(self.env.front_pos.tolist()) in self.desc.obj_poss else "continue"


def quicken_instructions(instructions: Iterable[Instr]) -> None:
    """Let a mission look for its things, and check whether it is done, in less time."""
    for instruction in instructions:
        parts = vars(instruction)
        if type(instruction) is GoToInstr:
            instruction.__class__ = FastGoTo
        for name in ("desc", "desc_move", "desc_fixed"):
            if type(parts.get(name)) is ObjDesc:
                parts[name].__class__ = FastDesc
        quicken_instructions(parts[name] for name in ("instr_a", "instr_b") if name in parts)
