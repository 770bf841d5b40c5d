"""Prints how many decisions a second an agent in words takes on one thread: one episode at a time, and eight at once.

Run with ``python benchmarks/text_acting.py``; ``--little`` takes seconds. The model has the size of MiniLM-L6 and random
weights, 20 actions are admissible, an action has a room of 8 tokens. The sides take turns on the same histories; figures are
medians, of CPU time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForMaskedLM

from anyorder.acting.text_history import TextHistory
from anyorder.acting.text_player import TextPlayer
from anyorder.acting.text_ways import TEXT_WAYS
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.form import PLAIN
from anyorder.envs.telling import TextView
from anyorder.models.language.masked_lm import MaskedLanguageModel

SIZES = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
LITTLE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
ROOM, LIMIT, NUM_ACTIONS, EPISODES = 8, 512, 20, 8
SPECIAL = ("[PAD]", "[MASK]", "[SEP]", "[UNK]", "system:", "user:", "assistant:")


def codec_of(num_words: int) -> TextCodec:
    """A tokenizer of made-up words."""
    words = [*SPECIAL, *(f"w{number}" for number in range(num_words))]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return TextCodec(tokenizer, SPECIAL.index("[MASK]"), SPECIAL.index("[SEP]"), SPECIAL.index("[PAD]"))


def history(agent: TextPlayer, num_words: int, num_tokens: int, seed: int) -> TextHistory:
    """A mission of 20 words, then observations of 30 and actions of 3, until there are about so many tokens."""
    generator = np.random.default_rng(seed)

    def said(number: int) -> str:
        return " ".join(f"w{word}" for word in generator.integers(0, num_words, number))

    admissible = tuple(sorted(said(3) for _ in range(NUM_ACTIONS)))
    found, done = agent.start(said(20)), None
    for _ in range(1 + num_tokens // (30 + ROOM + 2)):
        found.observe(TextView(said(30), admissible, 0.0, "", done))
        done = admissible[0]
    return found


def seconds(agent: TextPlayer, groups: Sequence[Sequence[TextHistory]]) -> float:
    """CPU time of one decision for every history, group by group."""
    start = time.process_time()
    for group in groups:
        agent.act(group, [np.random.default_rng(0) for _ in group])
    return time.process_time() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--little", action="store_true", help="a tiny model, once")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--mixed_precision", choices=["no", "bf16"], default="no", help="as `anyorder evaluate` has it")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    num_words = 500 if chosen.little else 30_000
    codec = codec_of(num_words)
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    inner = BertForMaskedLM(BertConfig(vocab_size=codec.size, **(LITTLE if chosen.little else SIZES), **still))
    model = MaskedLanguageModel(inner, codec.mask_id, codec.pad_id).eval()
    form = replace(PLAIN, rooms={"observation": 0, "action": ROOM})
    print(f"{'way':<13}{'tokens':>8}{'one':>8}{'eight':>8}{'ratio':>8}   decisions/s")
    for name, way in TEXT_WAYS.items():
        agent = way(model, codec, form, LIMIT)
        for num_tokens in (250, 2 * LIMIT):
            histories = [history(agent, num_words, num_tokens, seed) for seed in range(EPISODES)]
            alone, together = [[one] for one in histories], [histories]
            with torch.autocast("cpu", torch.bfloat16, enabled=chosen.mixed_precision == "bf16"):
                seconds(agent, alone[:1])
                rounds = range(1 if chosen.little else chosen.rounds)
                pairs = [(seconds(agent, alone), seconds(agent, together)) for _ in rounds]
            one, eight = (EPISODES / statistics.median(side) for side in zip(*pairs))
            ratio = statistics.median(apart / joint for apart, joint in pairs)
            print(f"{name:<13}{len(histories[0].question(ROOM)):>8}{one:>8.1f}{eight:>8.1f}{ratio:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
