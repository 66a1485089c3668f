"""The network compiled for training (`torch.compile`), where that repays the minutes it takes.

What is compiled computes the same to rounding, with fewer and larger kernels, and on a GPU as CUDA graphs:
launched at once. Whether it is wanted hangs on the configuration and the device alone, so that a run that
goes on computes as it began.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn

from ddpm import devices
from ddpm.augmentation import NUMBERS
from ddpm.config import Config
from ddpm.config_training import TrainingConfig
from ddpm.feed import tells
from ddpm.kernels import library

#: Steps from which on "auto" compiles on a GPU: compiling takes as long as thousands of them.
WORTH = 10_000
#: How far apart two results may be that should be the same, as a share of the first.
_APART = 0.05
#: Share of the largest tensor below which one is rounding alone.
_NOTHING = 1e-3


class CompileError(Exception):
    """That the network could not be compiled, in a line."""


def wanted(training: TrainingConfig, device: torch.device) -> bool:
    """Whether to compile. On a CPU only if asked for: the kernels of `ddpm.kernels` are as fast there."""
    if training.compile == "auto":
        return device.type == "cuda" and training.steps >= WORTH
    return training.compile == "on"


def ways(config: Config, device: torch.device) -> list[bool]:
    """What to try in turn: whether with CUDA graphs.

    They hold a gradient where the next backward pass puts its own: with several passes in a step the sum of
    them would be wrong, without an error (pytorch/pytorch issue 169545).
    """
    once = config.diffuses and config.objective != "consistency" and config.training.accumulation == 1
    return [True, False] if device.type == "cuda" and once else [False]


def compiled(network: nn.Module, config: Config, device: torch.device, *, graphs: bool = False) -> nn.Module:
    """A module of the same weights that computes what `network` does, once forwards and back already.

    To be called in the context (autocast, attention's kernel) that it will be used in. Leaves no gradients,
    and torch's global generator changed. CompileError where the compiler fails, or where with CUDA graphs the
    same step has another result when it is replayed; lack of memory is raised as it is. After either `forget`
    is to be called.
    """
    with failures_told(), _stirred(network) if graphs else nullcontext():
        made = module(network, graphs=graphs)
        try:
            first = again = _step(made, network, config, device, 0)
            if graphs:  # that was computed; now it is recorded, and replayed
                for seed in (1, 0):
                    torch.compiler.cudagraph_mark_step_begin()
                    again = _step(made, network, config, device, seed)
                check_same(first[:1], again[:1])
                check_same(first[1:], again[1:])
        finally:
            network.zero_grad(set_to_none=True)
    return made


def forget(device: torch.device) -> None:
    """Gives back what a compilation that failed, or ran out of memory, still holds."""
    torch._dynamo.reset()
    gc.collect()
    if device.type == "cuda" and torch.cuda.is_initialized():
        # A recording that broke off leaves the default generator taken: it gets a new state.
        index = torch.cuda.current_device() if device.index is None else device.index
        fresh = torch.Generator(device).graphsafe_get_state()
        torch.cuda.default_generators[index].graphsafe_set_state(fresh)
        torch.cuda.empty_cache()


def _step(
    made: nn.Module, network: nn.Module, config: Config, device: torch.device, seed: int
) -> list[Tensor]:
    """What comes out and the gradients, of a step on what that seed draws."""
    torch.manual_seed(seed)  # dropout's too
    count = config.training.batch_size // config.training.accumulation
    # Laid out as a step's images are: grey ones differ by it in nothing but their strides.
    x = torch.randn(count, *config.data.shape, device=device).contiguous(memory_format=torch.channels_last)
    times = torch.randint(config.diffusion.timesteps, (count,), device=device)
    told = {
        "labels": torch.randint(max(config.model.classes, 1), (count,), device=device),
        "moves": torch.randn(count, NUMBERS, device=device),
    }
    said = made(x, times, **{name: told[name] for name in tells(config)})
    (said.float() - torch.randn_like(said, dtype=torch.float32)).square().sum().backward()
    gradients = [p.grad.clone() for p in network.parameters() if p.grad is not None]
    network.zero_grad(set_to_none=True)
    return [said.detach().clone(), *gradients]


@contextmanager
@torch.no_grad()
def _stirred(network: nn.Module) -> Iterator[None]:
    """Noise on the weights meanwhile, in their place: new networks say zero, whatever they are asked."""
    before = [parameter.clone() for parameter in network.parameters()]
    for parameter in network.parameters():
        parameter.add_(0.02 * torch.randn_like(parameter))
    try:
        yield
    finally:
        torch._foreach_copy_(list(network.parameters()), before)


def module(network: nn.Module, *, graphs: bool) -> nn.Module:
    """`torch.compile` of it, for the shapes it will see alone; what is made is kept in the user's folder."""
    _keep_privately()
    return cast(nn.Module, torch.compile(network, dynamic=False, mode="reduce-overhead" if graphs else None))


def check_same(expected: Sequence[Tensor], found: Sequence[Tensor]) -> None:
    """CompileError where they differ by more than rounding: of the tensor, or of the largest of them where it
    is next to nothing itself."""
    norms = [float(one.double().norm()) for one in expected]
    for one, other, norm in zip(expected, found, norms, strict=True):
        apart = float((one.double() - other.double()).norm())
        if not apart <= _APART * max(norm, _NOTHING * max(norms)):
            raise CompileError("the network cannot be compiled: it computes otherwise then")


@contextmanager
def failures_told() -> Iterator[None]:
    """A context in which whatever fails is a CompileError; but lack of memory is raised as it is."""
    try:
        yield
    except CompileError:
        raise
    except Exception as error:  # whatever a compiler, and the one for C++ or CUDA behind it, may raise
        if devices.is_out_of_memory(error):
            raise
        first = next(iter(str(error).strip().splitlines()), "")
        raise CompileError(f"the network cannot be compiled: {first or type(error).__name__}") from error


def _keep_privately() -> None:
    """Has what is compiled kept in the user's own folder: in torch's, in /tmp, others could put theirs."""
    try:  # torch itself sets the variable to its own folder when it is loaded: no sign of a user's wish
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(library.folder() / "inductor")
    except (OSError, RuntimeError, library.NoKernels) as error:
        raise CompileError(f"the network cannot be compiled: no folder to keep it in: {error}") from None
