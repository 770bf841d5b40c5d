"""What strategies need beside their names, for tests of all of them."""

from anyorder.elements.layout import Kind
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, NextAction, NextStep

RATE = Rate(0.3, 0.3)
SETTINGS = {
    "blocks": {"length": 2},
    "mixture": {"strategies": [Cell(RATE), NextAction()], "weights": [1, 1]},
    "only": {"strategy": NextStep(), "kinds": [Kind.OBSERVATION]},
    "by_mission": {"cases": {"door": Cell(RATE)}, "otherwise": NextAction()},
    "without_mission": {"strategy": Cell(RATE)},
    "window": {"strategy": NextStep(), "length": 2},
    "damaged": {"strategy": NextStep()},
    "cut": {"strategy": Cell(RATE)},
    "at_once": {"strategy": NextAction()},
}


def built(cls, settings, rate):
    return cls(**settings, **({"rate": rate} if "rate" in cls.__dataclass_fields__ else {}))
