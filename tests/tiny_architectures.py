"""Architectures of tiny language models with random weights, as `language_model.architecture` takes them."""

SIZES = {"vocab_size": 1000, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
BERT = {"model_type": "bert", "max_position_embeddings": 256, **SIZES}
MODERN_BERT = {
    "model_type": "modernbert",
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "cls_token_id": 0,
    "sep_token_id": 0,
    **SIZES,
}
LLADA2 = {
    "model_type": "llada2_moe",
    "max_position_embeddings": 256,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 1,
    "num_shared_experts": 1,
    "moe_intermediate_size": 8,
    "first_k_dense_replace": 1,
    "partial_rotary_factor": 0.5,
    "attention_dropout": 0.0,
    **SIZES,
}
LLADA = {
    "model_type": "llada",
    "d_model": 16,
    "mlp_hidden_size": 16,
    "n_layers": 2,
    "n_heads": 2,
    "n_kv_heads": 2,
    "max_sequence_length": 256,
    "embedding_size": 1000,
}
DREAM = {"model_type": "Dream", "max_position_embeddings": 256, "num_key_value_heads": 1, **SIZES}
