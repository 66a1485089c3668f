"""How much anybody may ask of a server, and how it says no."""

from __future__ import annotations

from dataclasses import dataclass

from ddpm.config import Config
from ddpm.errors import EngineError


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one request, but for `queue` and `connections`. Times are seconds."""

    count: int = 64  #: images drawn
    side: int = 512  #: pixels of the longest side, of a result too
    queue: int = 64  #: requests that are not answered yet
    connections: int = 256
    header_seconds: float = 10.0  #: until a request's headers are there
    upload_seconds: float = 30.0  #: until its body is
    download_seconds: float = 60.0  #: until its answer is taken

    @property
    def body_bytes(self) -> int:
        """Of an image file and a mask: eight bytes a pixel, and what surrounds them."""
        return 2**20 + 8 * self.side**2

    def evaluations(self, config: Config) -> int:
        """Network evaluations of images of the network's size: as many images as may be drawn, with every
        timestep there is."""
        return self.count * config.diffusion.timesteps


class Refusal(EngineError):
    """One clear line for the client, with a status of HTTP."""

    status = 422


class TooMuch(Refusal):
    status = 413


class NoTime(Refusal):
    status = 408


class Busy(Refusal):
    """The queue is full."""

    status = 503

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests are waiting; try again in {retry_after} s")
        self.retry_after = retry_after
