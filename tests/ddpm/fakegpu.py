"""A GPU that computes nothing: torch's fake tensors have its device, and each operation its checks.

What would wait for a real one raises (`DataDependentOutputException` for a value that is fetched,
`DynamicOutputShapeException` for a size that hangs on values), and so does what would mix its memory with the
processor's; what is copied from one to the other is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ddpm import consistency, devices, sampling, schedules, unet
from ddpm.config import Config
from ddpm.samplers import unipc

GPU = torch.device("cuda:0")
_make = unet.make


class Generator(torch.Generator):
    """Of that device: a real one has none without it."""

    device = GPU  # type: ignore[assignment]


def _generator(device: str | torch.device = "cpu") -> torch.Generator:
    return (Generator if torch.device(device).type == "cuda" else _Real)()


_Real = torch.Generator


class Transfers(TorchDispatchMode):
    """Writes down, while it is entered, what goes from one device to another: (from, to, waited for)."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str, bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        into = {leaf.device.type for leaf in tree_leaves(out) if isinstance(leaf, Tensor)}
        copies = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        for leaf in tree_leaves((args, kwargs)):
            if not isinstance(leaf, Tensor) or not into or leaf.device.type in into:
                continue
            if leaf.dim() or copies:  # a number that is computed with travels with the call
                waits = not (kwargs or {}).get("non_blocking", False)
                self.seen.append((leaf.device.type, *into, waits))
        return out


def network(config: Config) -> nn.Module:
    """The network of a configuration, on that device."""
    with GPU:
        return _make(config)


def _really(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same with true tensors: of what the processor computes before the first step."""

    def computed(*args: Any) -> Any:
        with unset_fake_temporarily():
            return function(*args)

    return computed


def _backward(network: nn.Module) -> None:
    """Its gradients; torch's own engine asks the device itself for a stream."""
    for parameter in network.parameters():
        parameter.grad = torch.empty_like(parameter)


@contextmanager
def gpu() -> Iterator[None]:
    """A context in which the machine has that device, the best there is."""
    networks: list[nn.Module] = []

    def make(config: Config) -> nn.Module:
        networks.append(network(config))
        return networks[-1]

    with ExitStack() as stack:
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        for target, name, replacement in (
            (torch, "Generator", _generator),
            (devices, "names", lambda: [str(GPU), "cpu"]),
            (devices, "be_deterministic", lambda _: None),
            (torch.random, "fork_rng", lambda _: nullcontext()),  # its state is the processor's
            (unet, "make", make),
            (nn.Module, "to", lambda module, *_, **__: module),  # made where it is to be
            (Tensor, "pin_memory", lambda tensor: tensor),
            (Tensor, "backward", lambda _: _backward(networks[-1])),
            *(
                (module, name, _really(getattr(module, name)))
                for module, name in (
                    (schedules, "make"),
                    (sampling, "levels"),
                    (sampling, "time_grid"),
                    (unipc, "_weights"),
                    (consistency, "sigmas"),
                    (consistency, "chances"),
                    (consistency, "earlier"),
                )
            ),
        ):
            stack.enter_context(mock.patch.object(target, name, replacement))
        yield
