"""Prints tokens per second of training a masked language model on conversations beside plain transformers, on one thread.

Run with ``python benchmarks/texts.py``; ``--little`` takes seconds. The model has the size of MiniLM-L6 and random weights.
Plain transformers trains it as its examples do: a padded batch, a mask of what is padding, ``labels`` at the hidden tokens, the
head on every position. The sides take turns at every update on the same batches; ratios are medians, of CPU time. What ranks
need has two copies of many tokens, so about half of plain training is what one can hope for. Ours is timed in bf16, too, which
``training.mixed_precision: auto`` takes where it is faster.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from transformers import BertConfig, BertForMaskedLM

from anyorder.build.masking import strategy_schedule
from anyorder.config import MaskingConfig
from anyorder.elements.batch import Batch, Budget
from anyorder.elements.layout import Kind, Layout
from anyorder.elements.text.elements import EncodedText, EncodedTexts
from anyorder.masking.order import Order
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.seeding import stream
from anyorder.training.loss import Weighting

SIZES = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
LITTLE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 500}
ORDERS = {"token": {"token": 1.0}, "next_action": {"next_action": 1.0}, "next_step": {"next_step": 1.0}}
PAD, MASK, FIRST = 0, 1, 2
"""Tokens; all from `FIRST` on are words."""
WARM_UP = 1


def conversations(number: int, vocab_size: int) -> EncodedTexts:
    """Made-up ones of 2 to 8 turns of 8 to 40 tokens; a mission, then observations and actions in turns."""
    generator = torch.Generator().manual_seed(0)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    found = []
    for _ in range(number):
        turns = [(int(Kind.MISSION), 0, -1, draw(4, 20))]
        for step in range(draw(1, 4)):
            for number, kind in enumerate((Kind.OBSERVATION, Kind.ACTION)):
                turns.append((int(kind), 1 + 2 * step + number, step, draw(8, 40)))
        columns = {
            name: torch.tensor([turn[place] for turn in turns for _ in range(turn[3])])
            for place, name in enumerate(("kind", "unit", "step"))
        }
        length = len(columns["kind"])
        places = {**columns, "cell": torch.arange(length), "exempt": torch.zeros(length, dtype=torch.int64)}
        values = torch.randint(FIRST, vocab_size, (length,), generator=generator)
        found.append(EncodedText("", values, places, len(turns)))
    return EncodedTexts(found, PAD)


def plain(model: BertForMaskedLM, batch: Batch[Layout], order: Order) -> torch.Tensor:
    """The loss as transformers' examples compute it."""
    hidden = order.targets
    return model(
        input_ids=batch.values.masked_fill(hidden, MASK),
        attention_mask=batch.layout.present.long(),
        labels=batch.values.masked_fill(~hidden, -100),
    ).loss


def ours(model: MaskedLanguageModel, batch: Batch[Layout], order: Order, lowered: bool = False) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=lowered):
        logits = model(batch.values, batch.layout, order)
    return Weighting("target").sums(logits, batch.values, batch.layout, order).mean()


def seconds(loss: Callable[[], torch.Tensor], model: torch.nn.Module) -> float:
    """CPU time of an update without the optimizer, which is the same for all."""
    start = time.process_time()
    loss().backward()
    model.zero_grad()
    return time.process_time() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--little", action="store_true", help="a few updates only")
    options.add_argument("--tokens", type=int, default=1024, help="of a batch")
    options.add_argument("--updates", type=int, default=8)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = BertConfig(**(LITTLE if chosen.little else SIZES), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = BertForMaskedLM(config)
    wrapped = MaskedLanguageModel(model, MASK, PAD)
    data = conversations(200, config.vocab_size)
    updates = WARM_UP + (2 if chosen.little else chosen.updates)
    batches = data.shuffled(Budget(256 if chosen.little else chosen.tokens, "tokens"), stream(0, "batches"))[:updates]
    print(f"{'order':<14}{'plain':>10}{'ours':>10}{'ratio':>8}{'in bf16':>10}{'ratio':>8}   tokens/s; ratios to plain")
    for name, mixture in ORDERS.items():
        strategy = strategy_schedule(MaskingConfig(mixture=dict(mixture)))(0.0)
        spent = []
        for number, index in enumerate(batches):
            batch = data.batch(index)
            order = strategy(batch.layout, stream(0, "order", number))
            sides = [
                seconds(lambda: plain(model, batch, order), model),  # noqa: B023
                seconds(lambda: ours(wrapped, batch, order), model),  # noqa: B023
                seconds(lambda: ours(wrapped, batch, order, lowered=True), model),  # noqa: B023
            ]
            spent.append((sum(data.lengths[i] for i in index), *sides))
        rates = [statistics.median(tokens / one[side] for tokens, *one in spent[WARM_UP:]) for side in range(3)]
        ratios = [statistics.median(one[0] / one[side] for _, *one in spent[WARM_UP:]) for side in (1, 2)]
        told = "".join(f"{rate:>10,.0f}{ratio:>8.2f}" for rate, ratio in zip(rates[1:], ratios))
        print(f"{name:<14}{rates[0]:>10,.0f}{told}", flush=True)


if __name__ == "__main__":
    main()
