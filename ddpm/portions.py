"""Asking a network about as many images at once as fit into memory: halved when it runs out, and told."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ddpm import devices

#: The most images at once that each network was found to have memory for; of those that ran out of it alone.
_MOST: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


def most(network: nn.Module) -> int | None:
    """To how many images at once a lack of memory brought a network down; None: it never ran out."""
    return _MOST.get(network)


def ask(network: nn.Module, call: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """What `call`, which asks the network, says of tensors (N, …): of all at once, or in portions.

    Where memory runs out, portions are halved, from then on, down to single images; then the device's own
    error is raised.
    """
    count = len(tensors[0])
    while True:
        size = min(_MOST.get(network, count), count)
        try:
            if size == count:
                return call(*tensors)
            parts = zip(*(tensor.split(size) for tensor in tensors), strict=True)
            return torch.cat([call(*part) for part in parts])
        except (RuntimeError, MemoryError) as error:
            if size <= 1 or not devices.is_out_of_memory(error):
                raise
        _MOST[network] = size // 2  # outside of the handler, whose traceback holds what did not fit
        if tensors[0].device.type == "cuda":
            torch.cuda.empty_cache()
