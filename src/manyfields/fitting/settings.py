"""Settings of a fit: what all families heed."""

from typing import Any

import torch

from manyfields.compiled import has_fast_bf16


def takes_half(settings: Any, device: torch.device) -> bool:
    """Whether products of matrices are made in bf16 while a run of these settings learns."""
    return settings.precision == "bf16" or (settings.precision == "auto" and has_fast_bf16(device))
