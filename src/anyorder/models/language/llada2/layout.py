"""How a checkpoint names and shapes its tensors: the published layout, which is also how models are saved."""

from __future__ import annotations

from transformers.conversion_mapping import (
    Concatenate,
    MergeModulelist,
    WeightConverter,
    WeightRenaming,
    register_checkpoint_conversion_mapping,
)


def register_published_layout(model_type: str) -> None:
    """Teach transformers to load the published tensors of a model type, one per expert, and to save them so."""
    register_checkpoint_conversion_mapping(
        model_type,
        [
            WeightConverter(
                source_patterns=["mlp.experts.*.gate_proj.weight", "mlp.experts.*.up_proj.weight"],
                target_patterns="mlp.experts.gate_up_proj",
                operations=[MergeModulelist(dim=0), Concatenate(dim=1)],
            ),
            WeightConverter(
                source_patterns="mlp.experts.*.down_proj.weight",
                target_patterns="mlp.experts.down_proj",
                operations=[MergeModulelist(dim=0)],
            ),
            WeightRenaming(r"\.mlp\.gate\.expert_bias", ".mlp.gate.e_score_correction_bias"),
        ],
        overwrite=True,
    )
