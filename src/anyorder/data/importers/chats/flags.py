"""What a file says about learning its turns: with a flag at each turn, or with a list of flags at the line."""

from __future__ import annotations

from typing import Any

from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words

LEARNED = (
    *("loss", "weight", "lossweight", "lossmask", "train", "training", "trainable", "trainonturn", "istrainable"),
    *("learn", "learnable", "learned", "shouldtrain", "trainon", "computeloss", "calculateloss", "useloss", "supervised"),
    *("weights", "lossweights", "lossmasks", "losses", "intraining", "usefortraining", "isloss", "hasloss"),
    *("lossscale", "steplossmask", "turnlossmask", "enableloss", "calcloss", "lossflag", "trainflag", "islearnable"),
    *("trainmask", "trainingmask", "traintarget", "shouldlearn"),
)
"""Plain names of flags that are true, or 1, for turns that are to be learned."""
EXCLUDED = (
    *("ignore", "ignored", "ignoreloss", "noloss", "exclude", "excluded", "excludefromloss", "excludefromtraining"),
    *("skip", "skipped", "skiploss", "notrain", "donttrain", "donottrain", "lossignore", "skiptraining"),
    *("maskout", "maskedout"),
)
"""Plain names of flags that are true, or 1, for turns that are not to be learned."""
OF_INPUTS = ("trainoninput", "trainoninputs")
"""Plain names of flags that are true where turns that are not the agent's are to be learned."""
UNCLEAR_FLAGS = ("mask", "masked", "masks", "ismasked", "maskloss")
"""Plain names of flags that are true for what is learned in some files and for what is left out in others."""
TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


def take_asked(keys: Keys, where: str, role: str) -> bool | None:
    """What a turn's flags say about learning it, None where they say nothing; takes them.

    Raises:
        BadLine: for a value that is not a truth value, flags that contradict one another, and a flag without a clear meaning.
    """
    learned = LEARNED if role == "assistant" else LEARNED + OF_INPUTS
    keys.drop_nulls(learned + EXCLUDED)
    said = {key: _truth(keys, key, where) for key in keys.find(learned)}
    said |= {key: not _truth(keys, key, where) for key in keys.find(EXCLUDED)}
    if len(set(said.values())) > 1:
        raise BadLine(f"expected flags that agree about learning {where}, found {said}; leave one of them out")
    if unclear := keys.find(UNCLEAR_FLAGS):
        raise BadLine(
            f"expected a flag such as loss (true for what is learned), found {unclear[0]} in {where}, which means that in"
            " some files and the opposite in others; rename it to loss and make it false where a turn is not to be learned, or"
            " leave it out"
        )
    return next(iter(said.values()), None)


def with_flags_of_line(keys: Keys, turns: list[Any]) -> list[Any]:
    """The turns, each with its flag of those that the line has as a list: ``"loss_mask": [0, 1]``. Takes these lists.

    Raises:
        BadLine: for a list that has not one flag for each turn, and for one whose meaning is not clear.
    """
    for key in keys.find(LEARNED + EXCLUDED + UNCLEAR_FLAGS):
        if not isinstance(keys.left[key], list):
            continue
        flags = keys.left.pop(key)
        if len(flags) != len(turns) or not all(isinstance(turn, dict) for turn in turns):
            raise BadLine(
                f"expected one flag for each of the {len(turns)} turns as {key} of the line, found {len(flags)}; leave a list"
                " of flags for tokens out"
            )
        turns = [turn if turn.get(key) is not None else {**turn, key: flag} for turn, flag in zip(turns, flags)]
    return turns


def _truth(keys: Keys, key: str, where: str) -> bool:
    value = keys.left.pop(key)
    found = TRUTH.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(found, (bool, int, float)) or found not in (0, 1):
        raise BadLine(
            f"expected true, false, 1, 0 or null as {key} of {where}, found {in_few_words(value)}; a turn is learned or not:"
            " write one of these, or rename what is no such flag"
        )
    return bool(found)
