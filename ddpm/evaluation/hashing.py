"""What identifies weights: a hash over the tensors by name, so that the kind of file does not matter."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from torch import Tensor


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over name, shape and little-endian float32 bytes of each tensor, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().float().contiguous().numpy().astype("<f4", copy=False)
        digest.update(f"{name}{list(values.shape)}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
