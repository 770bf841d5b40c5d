"""What the agent would do next, if it did not see what is hidden from it.

Legend: F frames, S = X * Y cells of a view, P = 3S + 3 elements of a frame.
"""

from __future__ import annotations

from anyorder.acting.policy import History, ModelPolicy
from anyorder.acting.rebuilding import RebuildingPolicy
from anyorder.masking.order import Role
from anyorder.models.contract import GridModel
from anyorder.playground.scene import Scene, from_digits


def action_probabilities(model: GridModel, scene: Scene, roles: str, rebuilds: bool) -> list[float]:
    """The agent's probabilities of the 7 actions after the last view, 0 for those that the environment does not have.

    Args:
        model: a grid model, in evaluation mode.
        scene: so far.
        roles: a digit per element; whatever is not CONTEXT is unknown to the agent.
        rebuilds: True if the agent first rebuilds what is unknown to it, and then acts on that.
    """
    policy = (RebuildingPolicy if rebuilds else ModelPolicy)(model)
    return policy.logits([_history(model, scene, roles)])[0].softmax(dim=0).tolist()


def _history(model: GridModel, scene: Scene, roles: str) -> History:
    layout = scene.batch(model.view).layout
    unknown = layout.grid.frames(from_digits(roles, layout) != Role.CONTEXT)[0].numpy()
    history = History(model.vocabulary, scene.encoded.mission)
    history.num_actions = scene.num_actions
    for view, action, hidden in zip(scene.views, [*scene.actions, None], unknown):
        history.observe(view, hidden[:-3].reshape(view.image.shape), unknown_direction=bool(hidden[-3]))
        if action is not None:
            history.act(action, unknown=bool(hidden[-1]))
    return history
