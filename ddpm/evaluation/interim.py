"""Evaluations at intervals of a training, which never end it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ddpm import devices
from ddpm.config import Config
from ddpm.errors import EngineError
from ddpm.evaluation import drawnfeatures
from ddpm.evaluation.pace import Stopped
from ddpm.evaluation.places import Places
from ddpm.events import Event, Notice
from ddpm.subject import Subject

if TYPE_CHECKING:
    from ddpm.evaluation.examiner import Examiner


class Interim:
    """Judges the weights of a training every `evaluation.every` steps; an unfinished one is gone on with.

    What keeps it from that is told in a Notice. Without `places` there is nothing to judge with.
    """

    def __init__(
        self,
        config: Config,
        directory: Path,
        places: Places | None,
        device: torch.device,
        stopped: Callable[[], bool],
    ) -> None:
        self._every = config.evaluation.every
        self._folder = directory / drawnfeatures.FOLDER
        self._device = device
        self._advice = f"try a sampling.batch_size below {config.sampling.batch_size}"
        self._examiner: Examiner | None = None
        if places and self._every:
            from ddpm.evaluation.examiner import (
                Examiner,
            )  # here, as few trainings need all that comes with it

            # Not compiled: to give up a compilation drops every other too, that of the learning network.
            sampling = config.sampling.model_copy(update={"compile": "off"})
            self._examiner = Examiner(
                config.model_copy(update={"sampling": sampling}), places, device, stopped
            )

    @property
    def wanted(self) -> bool:
        """Whether this training evaluates itself, as far as is known."""
        return self._examiner is not None

    def due(self, step: int) -> bool:
        return self.wanted and step % self._every == 0

    def unfinished(self, step: int) -> bool:
        """Whether an evaluation of this very step was left half done."""
        return self.wanted and drawnfeatures.step_of(self._folder) == step

    def begin(self, step: int) -> Iterator[Event]:
        """Before the first step, so that what is missing is known at once and not hours later.

        Drops what was left half done of any step but this one: the weights are no longer those.
        """
        if not self.unfinished(step):
            self._clear()
        if self._every and self._examiner is None:
            yield Notice(
                "evaluation.every: no places to evaluate with were given; the training goes on without"
            )
        if self._examiner is None:
            return
        try:
            with devices.memory_told(self._device, self._advice):
                yield from self._examiner.prepare()
        except Stopped:
            return
        except Exception as error:
            # Whatever it is: the training is worth more, and the notice says what it was.
            self._examiner = None
            yield Notice(f"{_told(error)}; the training goes on without evaluating itself")

    def examine(self, subject: Subject) -> Generator[Event, None, bool]:
        """Events up to Evaluated or a Notice of what went wrong; False where a stop was asked for."""
        if self._examiner is None:
            return True
        try:
            with devices.memory_told(self._device, self._advice):
                yield from self._examiner.examine(subject, self._folder)
        except Stopped:
            return False
        except Exception as error:
            # As above. Its features may be what fills the disk that the next checkpoint needs.
            yield Notice(f"step {subject.step} was not evaluated: {_told(error)}")
            self._clear()
        return True

    def _clear(self) -> None:
        with suppress(OSError):  # it takes room and does no harm: the next evaluation begins anew
            drawnfeatures.remove(self._folder)


def _told(error: Exception) -> str:
    """What went wrong, in one line."""
    text = str(error) if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())
