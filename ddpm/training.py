"""Training: an iterator of events over the steps that minimise L_simple.

What a step uses (data order, noise, timesteps, dropout) is a pure function of (seed, images seen). So to
train 2N steps, and to train N, stop, and resume for N more, end in the same bytes on one device.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ddpm import checkpoint, data, devices, schedules
from ddpm.config import Config, TrainingConfig
from ddpm.diffusion import simple_loss
from ddpm.ema import EMA
from ddpm.errors import EngineError
from ddpm.events import (
    CheckpointRemoved,
    CheckpointWritten,
    Ended,
    Event,
    Metrics,
    Notice,
    SamplesWritten,
    Started,
)
from ddpm.grids import write_grid
from ddpm.meter import Meter
from ddpm.optimizer import learning_rate, load_state, make_optimizer, state_tensors
from ddpm.randomness import DataOrder, derive
from ddpm.sampling import draw
from ddpm.unet import UNet

#: Images of a grid drawn while training: enough to judge, few enough to wait for.
GRID_LIMIT = 64


class Training:
    """Trains as `config` says, in `directory`; iterate over it once and act on the events.

    Goes on from the newest whole checkpoint in the directory, if there is one; else starts from the
    weights of the checkpoint folder `start_from`, if given. Raises EngineError for what a person must
    know: data missing, a loss that is not finite, memory or disk exhausted.

    Seeds torch's global generator on every step (for dropout).
    """

    def __init__(
        self,
        config: Config,
        directory: Path,
        *,
        device: str = "auto",
        data_root: Path,
        start_from: Path | None = None,
    ) -> None:
        self._config, self._directory = config, directory
        self._device = devices.resolve(device)
        self._precision = resolve_precision(config.training, self._device)
        self._data_root, self._start_from = data_root, start_from
        self._stop_asked = False
        self.step = 0

    @property
    def images_seen(self) -> int:
        return self.step * self._config.training.batch_size

    def stop(self) -> None:
        """Asks to finish the step, write a checkpoint and end; safe from a signal handler or a thread."""
        self._stop_asked = True

    def __iter__(self) -> Iterator[Event]:
        try:
            yield from self._run()
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise EngineError(self._memory_message(error)) from error
        except RuntimeError as error:
            if "can't allocate memory" not in str(error):  # torch's word for it on the CPU
                raise
            raise EngineError(self._memory_message(error)) from error

    def _run(self) -> Iterator[Event]:
        training = self._config.training
        torch.manual_seed(derive(training.seed, "weights"))
        image_set = data.load(self._config.data, self._data_root)
        yield from (Notice(text) for text in image_set.notices)
        self._prepare(image_set.images)
        yield from self._load()
        yield self._started(len(image_set.images))
        while self.step < training.steps and not self._stop_asked:
            self._train_step()
            yield from self._after_step()
        yield from self._save()
        if self.step < training.steps:
            yield Ended("stopped", self.step, self.images_seen)
            return
        yield from self._sample()
        yield Ended("finished", self.step, self.images_seen)

    # -- set-up -------------------------------------------------------------------------------------

    def _prepare(self, images: Tensor) -> None:
        config, device = self._config, self._device
        devices.be_deterministic(device)
        channels, size, _ = config.data.shape
        self._images = images.to(device)
        self._order = DataOrder(len(images), config.training.seed)
        self._schedule = schedules.make(config.diffusion)
        network = UNet(config.model, channels, size).to(device).to(memory_format=torch.channels_last)
        self._network = network
        self._ema = EMA(network, config.training.ema_decay)
        self._optimizer = make_optimizer(network, config.training)
        self._generator = torch.Generator(device)
        self._meter = Meter(device)

    def _load(self) -> Iterator[Event]:
        """Takes up the newest checkpoint that is whole, or the weights to start from."""
        for saved in reversed(checkpoint.whole(self._directory)):
            try:
                self._restore(saved)
            except checkpoint.CheckpointError as error:
                yield Notice(f"{error}; going on from the one before")
                continue
            return
        if self._start_from is not None:
            saved = checkpoint.open_folder(self._start_from)
            load_weights(self._network, saved, checkpoint.MODEL)
            load_weights(self._ema.network, saved, checkpoint.EMA)

    def _restore(self, saved: checkpoint.Checkpoint) -> None:
        blobs = {name: saved.read(name) for name in (checkpoint.MODEL, checkpoint.EMA, checkpoint.TRAINING)}
        load_blob(self._network, blobs[checkpoint.MODEL], saved.path / checkpoint.MODEL)
        load_blob(self._ema.network, blobs[checkpoint.EMA], saved.path / checkpoint.EMA)
        load_state(self._optimizer, self._network, safetensors.torch.load(blobs[checkpoint.TRAINING]))
        self.step = saved.step
        if saved.images_seen != self.images_seen:
            raise EngineError(
                f"training.batch_size: the checkpoint of step {saved.step} has seen {saved.images_seen} "
                f"images, {self._config.training.batch_size} a step would be {self.images_seen}"
            )

    def _started(self, dataset_size: int) -> Started:
        return Started(
            step=self.step,
            images_seen=self.images_seen,
            total_steps=self._config.training.steps,
            device=str(self._device),
            device_name=devices.title(self._device),
            precision=str(self._precision).removeprefix("torch."),
            parameters=sum(p.numel() for p in self._network.parameters()),
            dataset=self._config.data.dataset,
            dataset_size=dataset_size,
        )

    # -- one step -----------------------------------------------------------------------------------

    def _train_step(self) -> None:
        training = self._config.training
        self._meter.start_step()
        indices = self._order.batch(self.images_seen, training.batch_size).to(self._device)
        self._generator.manual_seed(derive(training.seed, "step", self.images_seen))
        torch.manual_seed(derive(training.seed, "dropout", self.images_seen))
        rate = learning_rate(training, self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._network.train()
        loss = torch.zeros((), device=self._device)
        for part in indices.chunk(training.accumulation):
            part_loss = self._loss(part) / training.accumulation
            part_loss.backward()
            loss += part_loss.detach()
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), training.gradient_clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._ema.update(self._network, self.step)
        self._meter.add(loss, norm, rate)

    def _loss(self, indices: Tensor) -> Tensor:
        x_0 = self._images[indices].float().div_(127.5).sub_(1)
        count = len(x_0)
        if self._config.data.flip:
            mirrored = torch.rand(count, generator=self._generator, device=self._device) < 0.5
            x_0 = torch.where(mirrored[:, None, None, None], x_0.flip(3), x_0)
        steps = self._schedule.timesteps
        timesteps = torch.randint(steps, (count,), generator=self._generator, device=self._device)
        noise = torch.randn(x_0.shape, generator=self._generator, device=self._device)
        x_0 = x_0.to(memory_format=torch.channels_last)
        bfloat16 = self._precision == torch.bfloat16
        with torch.autocast(self._device.type, torch.bfloat16, enabled=bfloat16):
            return simple_loss(self._network, self._schedule, x_0, timesteps, noise)

    # -- between steps ------------------------------------------------------------------------------

    def _after_step(self) -> Iterator[Event]:
        training, step = self._config.training, self.step
        if step % training.log_every == 0:
            yield from self._metrics()
        if step == training.steps:
            return
        if step % training.checkpoint_every == 0:
            yield from self._save()
        if training.sample_every and step % training.sample_every == 0:
            yield from self._sample()

    def _metrics(self) -> Iterator[Metrics]:
        """The means since the last call, which end the run if they are not finite."""
        means = self._meter.fetch(self._config.training.batch_size)
        if means is None:
            return
        if not means.finite:
            raise EngineError(
                f"the loss is not finite at step {self.step}; no checkpoint was written of it: resume "
                "from the one before with a lower training.learning_rate, a longer training.warmup_steps or "
                "training.precision=float32"
            )
        yield Metrics(
            self.step, self.images_seen, means.loss, means.learning_rate, means.gradient_norm,
            means.images_per_second,
        )  # fmt: skip

    def _save(self) -> Iterator[Event]:
        """A checkpoint of this step, unless there is one; then the outdated ones go."""
        yield from self._metrics()  # what is not finite must never be saved
        existing = checkpoint.whole(self._directory)
        if self.step == 0 or any(c.step == self.step for c in existing):
            return
        every = self._config.training.milestone_every
        milestone = bool(every) and self.step % every == 0
        saved = checkpoint.write(self._directory, self._blobs(), self._state(milestone))
        relative = saved.path.relative_to(self._directory).as_posix()
        yield CheckpointWritten(self.step, self.images_seen, relative, saved.size, milestone)
        for old in checkpoint.outdated([*existing, saved], self._config.training.keep_checkpoints):
            checkpoint.remove(old)
            yield CheckpointRemoved(old.step)

    def _blobs(self) -> dict[str, bytes]:
        save = safetensors.torch.save
        return {
            checkpoint.MODEL: save(weights(self._network)),
            checkpoint.EMA: save(weights(self._ema.network)),
            checkpoint.TRAINING: save(state_tensors(self._optimizer, self._network)),
        }

    def _state(self, milestone: bool) -> dict[str, Any]:
        return {
            "step": self.step,
            "images_seen": self.images_seen,
            "milestone": milestone,
            "config": self._config.to_dict(),
        }

    def _sample(self) -> Iterator[Event]:
        """A grid of the first images of the sampling seed; given up when a stop is asked for."""
        yield from self._metrics()  # so that the time it takes counts for no step
        config, sampling = self._config, self._config.sampling
        count = min(sampling.count, GRID_LIMIT)
        network = self._ema.network if sampling.ema else self._network
        network.eval()
        for sample in draw(network, config, range(count), precision=self._precision):
            if self._stop_asked:
                return
            x = sample.x_t
        path = self._directory / "samples" / f"{self.step:08d}.png"
        write_grid(path, x, config, step=self.step)
        relative = path.relative_to(self._directory).as_posix()
        steps = sampling.resolved_steps(config.diffusion.timesteps)
        yield SamplesWritten(
            self.step, self.images_seen, relative, count, sampling.seed, sampling.sampler, steps
        )

    def _memory_message(self, error: BaseException) -> str:
        parts = 2 * self._config.training.accumulation
        return (
            f"out of memory on {self._device}: try training.accumulation={parts} "
            f"or a smaller training.batch_size ({str(error).splitlines()[0][:120]})"
        )


# -- precision and weights --------------------------------------------------------------------------


def resolve_precision(training: TrainingConfig, device: torch.device) -> torch.dtype:
    """The arithmetic of a network on a device: what is asked for, or bfloat16 where it pays."""
    if training.precision == "auto":
        return torch.bfloat16 if devices.autocast_pays(device) else torch.float32
    return torch.bfloat16 if training.precision == "bfloat16" else torch.float32


def weights(network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors by name, contiguous and on the CPU, as they are saved."""
    return {n: t.detach().contiguous().cpu() for n, t in network.state_dict().items()}


def load_weights(network: nn.Module, saved: checkpoint.Checkpoint, name: str) -> None:
    """Fills a network from a file of a checkpoint; CheckpointError if they do not fit each other."""
    load_blob(network, saved.read(name), saved.path / name)


def load_blob(network: nn.Module, blob: bytes, path: Path) -> None:
    """Fills a network from safetensors bytes; `path` names them in messages."""
    try:
        network.load_state_dict(safetensors.torch.load(blob))
    except (RuntimeError, ValueError, safetensors.SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        raise checkpoint.CheckpointError(f"{path}: does not fit this network: {reason}") from None
