"""A restoring run: images in, images out, as `config.restoration` says, with a checkpoint's network."""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ddpm import devices, subject
from ddpm.config import Config
from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.events import Denoising, Ended, Event, Notice, Restored, SamplesWritten
from ddpm.restoration import ledger, pictures, restoring
from ddpm.restoration.cases import Case, Preparation
from ddpm.restoration.inputs import listing
from ddpm.restoration.panels import Panels, settings
from ddpm.samplers.steps import SampleStep
from ddpm.subject import Subject

#: Inputs that cannot be restored and are named in a notice each; `restored.jsonl` names all.
_NAMED = 20
#: What a person can do something about; a full disk is told of where it is known to be one.
_MENDABLE = (
    errno.EACCES,
    errno.EEXIST,
    errno.EPERM,
    errno.EROFS,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
)


class Restoration:
    """Restores `inputs` (as `ddpm.restoration.inputs` reads them) into `out`; iterate over it once.

    In `directory` restored.jsonl says what became of each input, samples/sheet.png shows the first ones;
    without `out` the images are in images/ there. Goes on after inputs that are done. Memory is that of
    a batch, or of one image where that is larger. Raises EngineError where nothing can be restored at all.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: Path,
        directory: Path,
        *,
        inputs: Sequence[str],
        data_root: Path,
        out: Path | None = None,
        device: str = "auto",
        origin: str | None = None,
    ) -> None:
        self._config, self._checkpoint, self._directory = config, checkpoint, directory
        self._inputs, self._data_root = inputs, data_root
        self._out = directory / "images" if out is None else out
        self._origin = subject.origin(checkpoint) if origin is None else origin
        self._device = devices.resolve(device)
        self._stop_asked = False

    def stop(self) -> None:
        """Asks to end after the present step; safe from a signal handler or a thread."""
        self._stop_asked = True

    def __iter__(self) -> Iterator[Event]:
        advice = f"try a restoration.batch_size below {self._config.restoration.batch_size}"
        with devices.memory_told(self._device, advice):
            yield from self._run()

    def _run(self) -> Iterator[Event]:
        restoring.check_task(self._config)
        preparation = Preparation(self._config)
        source = subject.from_checkpoint(self._checkpoint, self._config, self._device)
        self._sources = listing(self._inputs, self._config.data, self._data_root)
        self._count = min(len(self._sources), self._config.restoration.count or len(self._sources))
        self._ledger = ledger.Ledger(self._directory / ledger.NAME)
        self._panels = Panels(self._directory, self._config)
        yield source.started(self._config, self._count)
        for group in self._groups(preparation, source):
            if isinstance(group, Notice):
                yield group
                continue
            if not (yield from self._restore(group, source)):
                break
        if self._stop_asked and self._ledger.done + self._ledger.failed < self._count:
            yield Ended("stopped", source.step, source.images_seen)
            return
        if not self._ledger.done:
            first = next(line["error"] for line in self._ledger)
            raise EngineError(f"none of the {self._count:,} inputs could be restored: {first}")
        yield self._restored()
        yield from self._sheet(source)
        yield Ended("finished", source.step, source.images_seen)

    # -- what comes next ----------------------------------------------------------------------------

    def _groups(self, preparation: Preparation, source: Subject) -> Iterator[list[Case] | Notice]:
        """Cases of one size that are computed together, and a word on inputs that are none."""
        group: list[Case] = []
        for item in self._sources[: self._count]:
            if item.number in self._ledger or self._stop_asked:
                continue
            try:
                case = preparation.case(item, self._sources.picture(item))
            except EngineError as error:
                self._ledger.add(item.number, input=item.name, error=str(error))
                yield from self._told(str(error))
                continue
            if group and (not case.goes_with(group[0]) or len(group) >= self._room(case)):
                yield group
                group = []
            group.append(case)
        if group:
            yield group

    def _told(self, error: str) -> Iterator[Notice]:
        failed = self._ledger.failed
        if failed <= _NAMED:
            yield Notice(error)
        if failed == _NAMED:
            yield Notice(f"further inputs that cannot be restored are named in {ledger.NAME} alone")

    def _room(self, case: Case) -> int:
        """Images of a case's size for which there is room in one batch, with all their restorations."""
        return max(1, self._pairs(case) // self._config.restoration.samples)

    def _pairs(self, case: Case) -> int:
        """Restorations of a case's size that are computed at once."""
        _, height, width = case.degradation.shape
        own = self._config.data.shape[1]
        return max(1, self._config.restoration.batch_size * own * own // (height * width))

    # -- one group ----------------------------------------------------------------------------------

    def _restore(self, group: list[Case], source: Subject) -> Generator[Event, None, bool]:
        """False where a stop was asked for before it was done."""
        samples, at_once = self._config.restoration.samples, self._pairs(group[0])
        pairs = [(i, sample) for i in range(len(group)) for sample in range(samples)]
        total = torch.zeros(len(group), *group[0].degradation.shape)
        squares = torch.zeros_like(total)
        first = self._panels.begin(group)
        if first:
            yield self._restored()
        for start in range(0, len(pairs), at_once):
            part = pairs[start : start + at_once]
            for step in self._steps(group, part, source):
                if self._stop_asked:
                    return False
                share = (start + len(part) * step.index / step.total) / len(pairs)
                frames = self._panels.frames(step) if first and not start else (None, None)
                yield self._denoising(step, share * len(group), frames)
                x = step.x_t
            result = x.clamp(-1, 1).float().cpu()
            places = torch.tensor([i for i, _ in part])
            total.index_add_(0, places, result)
            squares.index_add_(0, places, result.square())
        mean = total / samples
        spread = (squares / samples - mean.square()).clamp(min=0).sqrt() if samples > 1 else None
        for case, image in zip(group, mean, strict=True):
            self._write(case, image[:, : case.size[0], : case.size[1]])
        if first:
            self._panels.end(group, mean, spread, checkpoint=self._origin)
        yield self._restored()
        return True

    def _steps(self, group: list[Case], part: list[tuple[int, int]], source: Subject) -> Iterator[SampleStep]:
        device, samples = source.device, self._config.restoration.samples
        cases = [group[i] for i, _ in part]
        numbers = [group[i].source.number * samples + sample for i, sample in part]
        return restoring.restore(
            source.network,
            self._config,
            group[0].degradation,
            torch.stack([case.measurement for case in cases]).to(device),
            group[0].sigma,
            torch.tensor(numbers, device=device),
            precision=source.precision,
        )

    def _write(self, case: Case, image: Tensor) -> None:
        told = case.measured(self._config, image)
        text = settings(self._config, checkpoint=self._origin, image=case.source.number)
        colour = self._config.restoration.task == "colorize"
        target = self._out / case.source.target
        try:
            pictures.write(target, (image + 1) / 2, case.picture, text, colour=colour)
        except OSError as error:
            if error.errno in _MENDABLE:
                raise EngineError(f"{shown(target)} cannot be written: {error.strerror}") from None
            raise
        self._ledger.add(
            case.source.number,
            input=case.source.name,
            output=case.source.target,
            sigma=case.sigma / 2,
            **told,
        )

    # -- what is told -------------------------------------------------------------------------------

    def _denoising(
        self, step: SampleStep, of_group: float, frames: tuple[str | None, str | None]
    ) -> Denoising:
        """`of_group` images' worth of the group are computed."""
        evaluations = restoring.evaluations(self._config)
        done = self._ledger.done + self._ledger.failed
        return Denoising(
            index=max(1, round((done + of_group) * evaluations)),
            total=self._count * evaluations,
            timestep=step.timestep,
            done=done,
            count=self._count,
            x_t=frames[0],
            x_0=frames[1],
        )

    def _restored(self) -> Restored:
        told = self._ledger
        return Restored(
            done=told.done,
            failed=told.failed,
            count=self._count,
            input_psnr=told.mean("input_psnr"),
            input_ssim=told.mean("input_ssim"),
            psnr=told.mean("psnr"),
            ssim=told.mean("ssim"),
            sigma=told.mean("sigma"),
            **self._panels.paths(),
        )

    def _sheet(self, source: Subject) -> Iterator[SamplesWritten]:
        count = self._panels.shown()
        if count:
            restoration = self._config.restoration
            yield SamplesWritten(
                source.step,
                source.images_seen,
                self._panels.SHEET,
                count,
                restoration.seed,
                restoration.method,
                restoring.evaluations(self._config),
            )
