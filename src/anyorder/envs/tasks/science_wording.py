"""How ScienceWorld's list of admissible actions words an action that is said otherwise.

A thing has several names (``thermometer``, ``thermometer in inventory``). The list has one of them for each, while gold paths
may say another. Two texts mean the same if ScienceWorld's own parser makes the same kind of action of both, with the same
things.
"""

from __future__ import annotations

import json
from typing import Any

Meaning = tuple[int, dict[str, int]]
"""The number of the kind of action, and the things in it: what they are for -> their number."""


def listed_as(world: Any, action: str) -> str | None:
    """What the list says for an action that is not in it, in the state that the world is in; None where it has nothing that
    means the same, since the action would do nothing. What the parser does not understand, or in several ways, stays as it is.

    Args:
        world: ScienceWorld's interface in Java (`py4j`).
    """
    meant = _meaning(world, action)
    if meant is None:
        return action
    kind, things = meant[0], set(meant[1].values())
    listed = json.loads(world.getValidActionObjectCombinationsJSON())["validActions"]
    alike = (one["action"] for one in listed if one["template_id"] == kind and things.issuperset(one["obj_ids"]))
    return next((text for text in alike if _meaning(world, text) == meant), None)


def _meaning(world: Any, action: str) -> Meaning | None:
    game = world.agentInterface().get()
    parser, agent = game.inputParser(), game.agent()
    room = agent.getContainer().get()
    parsed = parser.parse(action, room, game.universe(), agent, game.objMonitor(), game.task().goalSequence(), room)
    if parser.isInAmbiguousState():
        parser.clearAmbiguousState()  # only asked: the world is not to wait for an answer
        return None
    if not parsed.productElement(0):
        return None
    request = parsed.productElement(3).get()
    pairs = request.assignments().iterator()
    things = {}
    while pairs.hasNext():
        pair = pairs.next()
        things[pair.productElement(0)] = pair.productElement(1).uuid()
    return request.action().uniqueActionID(), things
