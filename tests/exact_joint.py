"""A model whose joint distribution is a table: the reference for what several passes must add up to."""

import torch
from torch import nn

from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.masking.order import Role, sees_value


class ExactJoint(nn.Module):
    """Answers for the first actions of a trajectory with the exact conditionals of ``joint``, each action given those
    whose true value it may see under the law of ranks. Everything else is ignored.

    Attributes:
        passes: roles of the actions, ``[B, A]``, as they were in each pass.
    """

    def __init__(self, joint):
        super().__init__()
        self.joint, self.passes = joint.double() / joint.sum(), []
        vocabulary = GridVocabulary(("<unknown>",))
        self.first, self.size = vocabulary.offsets[Attribute.ACTION], len(vocabulary) + 10

    def forward(self, values, layout, order):
        shape, number = layout.grid, self.joint.ndim
        actions, roles, ranks = (shape.actions(t)[:, :number] for t in (values, order.roles, order.ranks))
        self.passes.append(roles.clone())
        rows = []
        for row in range(len(actions)):
            for target in (roles[row] == Role.TARGET).nonzero()[:, 0]:
                seen = sees_value(roles[row], ranks[row], ranks[row, target])
                rows.append(self._conditional(int(target), seen, actions[row] - self.first))
        logits = torch.full((len(rows), self.size), -torch.inf, dtype=torch.float64)
        if rows:
            logits[:, self.first : self.first + 7] = torch.stack(rows).log()
        return logits

    def _conditional(self, target, seen, actions):
        table = self.joint
        for axis in range(table.ndim):
            if axis != target and seen[axis]:
                table = table.index_select(axis, actions[axis : axis + 1])
            elif axis != target:
                table = table.sum(dim=axis, keepdim=True)
        return table.flatten() / table.sum()
