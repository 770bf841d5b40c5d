"""Hide one object of a test trajectory and ask a trained model what was there.

python examples/ask_the_model.py outputs/quickstart/checkpoints/best.pt data/quickstart
"""

import sys
from pathlib import Path

import torch

from anyorder.build.checkpoints import load_model
from anyorder.data.storage import read_split
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import WALL, Attribute, object_elements
from anyorder.envs.minigrid import COLORS, OBJECTS
from anyorder.masking.order import reconstruct

NAMES = {Attribute.OBJECT: OBJECTS, Attribute.COLOR: COLORS}


def main(checkpoint: str, data: str) -> None:
    """Ask about the first trajectory of the test split."""
    model, _ = load_model(Path(checkpoint))
    batch = EncodedTrajectories(read_split(Path(data), "test"), model.vocabulary).batch([0])

    # Everything is visible but the first cell that holds an object.
    objects = object_elements(batch.values, batch.layout) & (batch.values > WALL)
    cell = batch.layout.cell[0, objects[0].nonzero()[0]]
    order = reconstruct(batch.layout, batch.layout.cell == cell)

    with torch.no_grad():
        probabilities = model(batch.values, batch.layout, order).softmax(dim=-1)
    for element, row in zip(order.targets[0].nonzero()[:, 0], probabilities):
        attribute = Attribute(int(batch.layout.attribute[0, element]))
        if attribute not in NAMES:
            continue
        first = model.vocabulary.offsets[attribute]
        truth = NAMES[attribute][int(batch.values[0, element]) - first]
        best = row.topk(3)
        guesses = ", ".join(f"{NAMES[attribute][int(i) - first]} {p:.1%}" for p, i in zip(best.values, best.indices))
        print(f"{attribute.name.lower():7} was {truth:8} the model says {guesses}")


if __name__ == "__main__":
    main(*sys.argv[1:])
