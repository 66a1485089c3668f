"""An evaluating run: how far the images of a checkpoint are from the data set it learned from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from ddpm import devices, subject
from ddpm.config import Config
from ddpm.evaluation.drawnfeatures import FOLDER
from ddpm.evaluation.examiner import Examiner
from ddpm.evaluation.pace import Stopped
from ddpm.evaluation.places import Places
from ddpm.events import Ended, Event
from ddpm.grids import write_grid
from ddpm.subject import Subject


class Evaluation:
    """Scores `config.evaluation.samples` images of a checkpoint; iterate over it once.

    In `directory`: samples/grid.png, the first images together, and until the scores are known the folder
    `evaluation`, from which a run that was stopped or killed goes on, to the same scores.
    `origin` is what the grid says of the checkpoint, by default the end of its path.

    Raises EngineError for what a person must know: weights or data missing, memory exhausted.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: Path,
        directory: Path,
        *,
        places: Places,
        device: str = "auto",
        origin: str | None = None,
    ) -> None:
        self._config, self._checkpoint, self._directory = config, checkpoint, directory
        self._origin = subject.origin(checkpoint) if origin is None else origin
        self._device = devices.resolve(device)
        self._stop_asked = False
        self._examiner = Examiner(config, places, self._device, lambda: self._stop_asked)

    def stop(self) -> None:
        """Asks to end after the present step; safe from a signal handler or a thread."""
        self._stop_asked = True

    def __iter__(self) -> Iterator[Event]:
        advice = f"try a sampling.batch_size below {self._config.sampling.batch_size}"
        with devices.memory_told(self._device, advice):
            yield from self._run()

    def _run(self) -> Iterator[Event]:
        devices.be_deterministic(self._device)  # so that to go on ends as if it had not been interrupted
        source = subject.from_checkpoint(self._checkpoint, self._config, self._device)
        yield source.started(self._config, self._config.evaluation.samples)
        try:
            yield from self._examiner.examine(
                source, self._directory / FOLDER, lambda pixels: self._grid(source, pixels)
            )
        except Stopped:
            yield Ended("stopped", source.step, source.images_seen)
        else:
            yield Ended("finished", source.step, source.images_seen)

    def _grid(self, source: Subject, pixels: Tensor) -> Event:
        path = self._directory / "samples" / "grid.png"
        write_grid(path, pixels, self._config, checkpoint=self._origin)
        return source.drew(self._config, "samples/grid.png", len(pixels))
