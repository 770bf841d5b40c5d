"""LLaDA2 (model type ``llada2_moe``) for transformers: importing this package registers it with the Auto classes."""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

from anyorder.models.language.llada2.configuration import LLaDA2MoeConfig
from anyorder.models.language.llada2.layout import register_published_layout
from anyorder.models.language.llada2.modeling import LLaDA2MoeModel, LLaDA2MoeModelLM

AutoConfig.register(LLaDA2MoeConfig.model_type, LLaDA2MoeConfig, exist_ok=True)
AutoModel.register(LLaDA2MoeConfig, LLaDA2MoeModel, exist_ok=True)
AutoModelForMaskedLM.register(LLaDA2MoeConfig, LLaDA2MoeModelLM, exist_ok=True)
# So the published configuration names it, though it is no causal model.
AutoModelForCausalLM.register(LLaDA2MoeConfig, LLaDA2MoeModelLM, exist_ok=True)
register_published_layout(LLaDA2MoeConfig.model_type)

__all__ = ["LLaDA2MoeConfig", "LLaDA2MoeModel", "LLaDA2MoeModelLM"]
