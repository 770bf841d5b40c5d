"""Text trajectories built by hand and tiny random masked language models, for the tests of text models."""

import torch
from transformers import BertConfig, BertForMaskedLM, ModernBertConfig, ModernBertForMaskedLM

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, Role
from anyorder.models.language.dream import DreamConfig, DreamModel
from anyorder.models.language.llada import LLaDAConfig, LLaDAModelLM
from anyorder.models.language.llada2 import LLaDA2MoeConfig, LLaDA2MoeModelLM

PAD, MASK, VOCABULARY, LONGEST = 0, 22, 23, 48
SIZES = dict(vocab_size=VOCABULARY, hidden_size=16, num_attention_heads=2, max_position_embeddings=LONGEST, pad_token_id=PAD)
"""Values are drawn from 1..21."""


def units_of(num_words, *lengths):
    """``(kind, step, number of tokens)`` of a mission and of observations and actions in turn."""
    kinds = [Kind.OBSERVATION, Kind.ACTION]
    return [(Kind.MISSION, -1, num_words)] + [(kinds[i % 2], i // 2, length) for i, length in enumerate(lengths)]


def text_layout(rows, pad_to=0, pad_left=0):
    """The layout of trajectories, each given by `units_of`; padded on the right, and by ``pad_left`` on the left."""
    width = max([pad_to] + [pad_left + sum(length for *_, length in row) for row in rows])
    kind, step, unit = (torch.zeros(len(rows), width, dtype=torch.int64) for _ in range(3))
    for b, row in enumerate(rows):
        start = pad_left
        for number, (of_kind, at_step, length) in enumerate(row):
            here = slice(start, start + length)
            kind[b, here], step[b, here], unit[b, here] = int(of_kind), at_step, number
            start += length
    return Layout(
        kind=kind,
        attribute=torch.zeros_like(kind),
        step=step,
        cell=torch.arange(width).expand_as(kind).contiguous(),
        unit=unit,
        num_cells=width,
        num_units=max(len(row) for row in rows),
        missions=("",) * len(rows),
        fields=("word",),
    )


ROWS = [units_of(2, 3, 2, 2, 1), units_of(1, 2, 1, 3)]
"""Ten tokens of five units, and seven of four."""


def random_values(layout, seed):
    return torch.randint(1, MASK, layout.shape, generator=torch.Generator().manual_seed(seed))


def random_order(layout, num_ranks, seed):
    """Any role and any rank for any element."""
    generator = torch.Generator().manual_seed(seed)
    roles = torch.randint(4, layout.shape, generator=generator, dtype=torch.uint8)
    roles[~layout.present] = Role.DROPPED
    return Order(roles, torch.randint(num_ranks, layout.shape, generator=generator, dtype=torch.int32))


def bert(**options):
    """A random BERT in double precision, with weights large enough for every token to matter."""
    torch.manual_seed(0)
    config = BertConfig(
        **SIZES | dict(num_hidden_layers=2, intermediate_size=32, initializer_range=0.3) | options,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return BertForMaskedLM(config).double().eval()


def modern_bert(**options):
    """A random ModernBERT whose middle layer is local (two tokens to either side); its rotary embedding computes in
    single precision whatever the model's own is."""
    torch.manual_seed(0)
    tokens = dict.fromkeys(["bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"], 1)
    layers = ["full_attention", "sliding_attention", "full_attention"]
    config = ModernBertConfig(
        **SIZES | tokens | dict(num_hidden_layers=3, intermediate_size=16, initializer_range=0.5) | options,
        layer_types=layers,
        local_attention=4,
    )
    return ModernBertForMaskedLM(config).double().eval()


def llada2(**options):
    """A random LLaDA2 with a dense layer and two of experts, whose norms, rotation and routing compute in single
    precision whatever the model's own is."""
    torch.manual_seed(0)
    experts = dict(num_experts=8, num_experts_per_tok=2, n_group=4, topk_group=2, num_shared_experts=1, moe_intermediate_size=8)
    config = LLaDA2MoeConfig(
        **SIZES | experts | dict(num_hidden_layers=3, intermediate_size=32, initializer_range=0.3) | options,
        num_key_value_heads=1,
        first_k_dense_replace=1,
        partial_rotary_factor=0.5,
        attention_dropout=0.0,
        experts_implementation="eager",  # grouped matrix multiplication knows no double precision
    )
    return LLaDA2MoeModelLM(config).double().eval()


def llada(**options):
    """A random LLaDA, whose norms and rotation compute in single precision whatever the model's own is."""
    torch.manual_seed(0)
    sizes = dict(num_hidden_layers=3, intermediate_size=32, initializer_range=0.3, num_key_value_heads=1)
    return LLaDAModelLM(LLaDAConfig(**SIZES | sizes | options)).double().eval()


def dream(**options):
    """The same of Dream, which answers for the next position."""
    torch.manual_seed(0)
    sizes = dict(num_hidden_layers=3, intermediate_size=32, initializer_range=0.3, num_key_value_heads=1)
    return DreamModel(DreamConfig(**SIZES | sizes | options)).double().eval()
