"""Where a pass computes in lower precision (`torch.autocast`), tensors that many products read are lowered once."""

from __future__ import annotations

import torch
from torch import Tensor


def lowered(tensor: Tensor) -> Tensor:
    """The tensor in the precision of matrix products."""
    device = tensor.device.type
    return tensor.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else tensor
