"""A network is asked about as many images as fit into memory."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from ddpm import portions


class Small(nn.Linear):
    """Runs out of memory for more than `room` rows, as a device would say it."""

    def __init__(self, room: int, message: str = "CUDA out of memory.") -> None:
        super().__init__(2, 2)
        self.room, self.message, self.asked = room, message, list[int]()

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        self.asked.append(len(x))
        if len(x) > self.room:
            raise torch.OutOfMemoryError(self.message)
        return super().forward(x) + sum(m[:, None] for m in more)


@torch.no_grad()
@pytest.mark.parametrize(("room", "most"), [(100, None), (13, 8), (5, 4), (1, 1)])
def test_portions_are_halved_until_they_fit(room: int, most: int | None) -> None:
    network, x, times = Small(room), torch.randn(16, 2), torch.arange(16)
    expected = nn.functional.linear(x, network.weight, network.bias) + times[:, None]
    assert torch.allclose(portions.ask(network, network, x, times), expected)
    assert portions.most(network) == most
    network.asked.clear()
    portions.ask(network, network, x, times)
    assert network.asked == [most or 16] * (16 // (most or 16))  # nothing is tried twice


def test_what_a_single_image_lacks_is_raised() -> None:
    network = Small(0)
    with pytest.raises(torch.OutOfMemoryError):
        portions.ask(network, network, torch.randn(4, 2))


def test_other_errors_are_no_lack_of_memory() -> None:
    network = Small(100)
    with pytest.raises(RuntimeError, match="shapes"):
        portions.ask(network, network, torch.randn(4, 3))
    assert portions.most(network) is None


_REAL = """
import resource, sys, torch
torch.set_num_threads(1)
from ddpm import portions, unet
from ddpm.config import ModelConfig
network = unet.UNet(ModelConfig(channels=64, multipliers=(1,), blocks=1, attention=(1,), dropout=0.0), 1, 16)
network(torch.zeros(1, 1, 16, 16), torch.zeros(1, dtype=torch.long))
x, times = torch.randn(2000, 1, 16, 16), torch.zeros(2000, dtype=torch.long)
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
limit = used + 350_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
with torch.no_grad():
    y = portions.ask(network, network, x, times)
print(tuple(y.shape), portions.most(network) < 2000)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory so")
def test_a_process_that_really_runs_out_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", _REAL], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(2000, 1, 16, 16) True", done.stderr[-2000:]
