"""Weights that are kept prepared while images are drawn are those that the layer has now."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from ddpm.kernels import calling, library
from ddpm.kernels.layers import Conv3x3
from ddpm.kernels.linear import Conv1x1, Linear
from ddpm.kernels.prepared import Prepared
from ddpm.kernels.strided import HalvingConv

pytestmark = pytest.mark.skipif(library.found().library is None, reason=library.found().reason)

LAYERS = {
    "conv3x3": (lambda: Conv3x3(8, 16), (2, 8, 6, 6)),
    "conv1x1": (lambda: Conv1x1(8, 16), (2, 8, 6, 6)),
    "halving": (lambda: HalvingConv(8), (2, 8, 6, 6)),
    "linear": (lambda: Linear(8, 16), (5, 8)),
}


def agree(layer: Prepared, x: Tensor) -> bool:
    """What is drawn is what is computed where gradients are wanted, which keeps nothing; to the bit."""
    with calling.halves():
        with torch.no_grad():
            drawn = layer(x)
        return torch.equal(drawn, layer(x).detach())


@pytest.mark.parametrize("kind", LAYERS)
def test_what_is_kept_is_of_the_weights_of_now(kind: str) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[kind]
    layer, x = make().eval(), torch.randn(shape)
    assert agree(layer, x)
    kept = layer._kept
    assert kept is not None
    assert agree(layer, x)
    assert layer._kept is kept  # once for as long as they stay
    with torch.no_grad():
        layer.weight.mul_(2)
        assert agree(layer, x)
        torch._foreach_lerp_([layer.weight], [torch.randn_like(layer.weight)], 0.5)
        assert agree(layer, x)
    layer.load_state_dict(make().state_dict())
    assert agree(layer, x)
    layer.weight = nn.Parameter(torch.randn_like(layer.weight))
    assert agree(layer, x)


@pytest.mark.parametrize("kind", LAYERS)
def test_copies_keep_nothing(kind: str) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[kind]
    layer, x = make().eval(), torch.randn(shape)
    assert agree(layer, x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other._kept is None
        with torch.no_grad():
            other.weight.add_(1)
        assert agree(other, x)
    assert agree(layer, x)


@pytest.mark.parametrize("kind", LAYERS)
def test_in_training_nothing_is_kept(kind: str) -> None:
    make, shape = LAYERS[kind]
    layer = make().eval()
    assert agree(layer, torch.randn(shape))
    layer.train()
    assert layer._kept is None
    with calling.halves(), torch.no_grad():
        layer(torch.randn(shape))
    assert layer._kept is None
