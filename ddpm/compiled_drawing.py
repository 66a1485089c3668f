"""Networks compiled for drawing (`sampling.compile`): for the one shape that a run's batches have.

On a GPU a step of the sampler is then one launch, a CUDA graph. Batches of another size, as the last of a
run, are asked as they are: to compile for them would not repay.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator

import torch
from torch import Tensor, nn

from ddpm import compiling, devices
from ddpm.config import Config
from ddpm.events import Notice
from ddpm.subject import Subject

#: Times that a network is asked about a whole batch from which on "auto" compiles on a GPU.
WORTH = 2_000


def wanted(config: Config, count: int, device: torch.device) -> bool:
    """Whether to compile for drawing `count` images. On a CPU only if asked for, as for training."""
    sampling = config.sampling
    if sampling.compile == "auto":
        asked = count // sampling.batch_size * sampling.evaluations(config.diffusion.timesteps)
        return device.type == "cuda" and asked >= WORTH
    return sampling.compile == "on"


def compiled(source: Subject, config: Config, count: int, done: int = 0) -> Generator[Notice, None, Subject]:
    """The same with its networks compiled, where that is wanted and can be done; what cannot is told.

    count: images of the run, of which the first `done` are there.
    """
    if done >= count or not wanted(config, count, source.device):
        return source
    yield Notice("compiling the network, which takes a minute or more")
    size = min(config.sampling.batch_size, count)
    for graphs in (True, False) if source.device.type == "cuda" else (False,):
        try:
            return _made(source, config, size, graphs)
        except compiling.CompileError as error:
            reason = str(error)
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            reason = "there is not the memory to compile the network"
        compiling.forget(source.device)  # outside of the handler, whose traceback holds what was made
        yield Notice(f"{reason}; it draws without{' CUDA graphs' if graphs else ''}")
    return source


def _made(source: Subject, config: Config, size: int, graphs: bool) -> Subject:
    told, guidance = bool(config.model.classes), config.sampling.guidance != 1
    network = OneShape(source.network, size, source.precision, graphs=graphs)
    _try(network, config, source.device, {told, False} if guidance and source.guide is None else {told})
    guide = source.guide
    if guide is not None:
        guide = OneShape(guide, size, source.precision, graphs=graphs)
        _try(guide, config, source.device, {told and not config.sampling.guidance_class})
    return dataclasses.replace(source, network=network, guide=guide)


class OneShape(nn.Module):
    """What `network` computes in eval mode: of `size` images by what was compiled, of any others as it is.

    precision: of the compiled one's arithmetic; the other's is that of the context it is called in.
    """

    def __init__(self, network: nn.Module, size: int, precision: torch.dtype, *, graphs: bool) -> None:
        super().__init__()
        self.network, self.size = network, size
        self.precision, self._graphs = precision, graphs
        with compiling.failures_told():
            self._compiled = compiling.module(network, graphs=graphs)

    def forward(self, x: Tensor, timesteps: Tensor, labels: Tensor | None = None) -> Tensor:
        told = () if labels is None else (labels,)
        if len(x) != self.size:
            return self.network(x, timesteps, *told)
        if self._graphs:
            torch.compiler.cudagraph_mark_step_begin()
        with devices.arithmetic(self.precision, x.device, compiled=True):
            said: Tensor = self._compiled(x, timesteps, *told)
        return said.clone()  # a graph writes its next result to the same place


@torch.no_grad()
def _try(network: OneShape, config: Config, device: torch.device, ways: set[bool]) -> None:
    """Has it compiled, and recorded; CompileError where that fails or it says otherwise than before.

    ways: whether it is told of classes, of each way that it will be asked.
    """
    with compiling.failures_told(), devices.arithmetic(network.precision, device):
        for number in range(3):  # computed, recorded, replayed, each of other images
            for told in sorted(ways):
                given = _inputs(config, network.size, device, number, told=told)
                compiling.check_same([network.network(*given)], [network(*given)])


def _inputs(
    config: Config, size: int, device: torch.device, number: int, *, told: bool
) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(number)
    x = torch.randn(size, *config.data.shape, generator=generator).to(device)
    times = torch.full((size,), config.diffusion.timesteps * (number + 1) // 4, device=device)
    labels = torch.randint(max(config.model.classes, 1), (size,), generator=generator).to(device)
    return (x, times, labels) if told else (x, times)
