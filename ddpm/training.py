"""Training: an iterator of events over the steps that minimise what `training.objective` names.

What a step uses (data order, noise, timesteps, dropout) is a pure function of (seed, images seen). So to
train 2N steps, and to train N, stop, and resume for N more, end in the same bytes on one device.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ddpm import (
    averages,
    checkpoint,
    compiling,
    data,
    devices,
    ema,
    grids,
    guides,
    objectives,
    snapshots,
    unet,
    weights,
)
from ddpm.config import NOT_FROM_ANOTHER, Config
from ddpm.errors import EngineError
from ddpm.evaluation.interim import Interim
from ddpm.evaluation.places import Places
from ddpm.events import (
    CheckpointRemoved,
    CheckpointWritten,
    Ended,
    Event,
    Metrics,
    Notice,
    Started,
)
from ddpm.feed import Feed
from ddpm.meter import Meter
from ddpm.optimizer import learning_rate, load_state, make_optimizer, state_tensors
from ddpm.randomness import derive
from ddpm.subject import Subject

#: Of the names, in a checkpoint, of what the objective has learned.
OBJECTIVE = "objective."


class Training:
    """Trains as `config` says, in `directory`; iterate over it once and act on the events.

    Goes on from the newest whole checkpoint in the directory, if there is one; else starts from the
    weights of the checkpoint folder `start_from`, if given. Evaluates itself every `evaluation.every` steps
    and at its end, with what `places` name. Raises EngineError for what a person must know: data missing, a
    loss that is not finite, memory or disk exhausted.

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
        places: Places | None = None,
    ) -> None:
        self._config, self._directory = config, directory
        self._device = devices.resolve(device)
        self._precision = devices.precision(config.training.precision, self._device)
        self._data_root, self._start_from = data_root, start_from
        try:
            averages.check_while_training(config.training, config.sampling)
        except ValueError as error:
            raise EngineError(str(error)) from None
        self._stop_asked = False
        self._drawn = guides.unguided(config)
        self._interim = Interim(self._drawn, directory, places, self._device, lambda: self._stop_asked)
        self.step = 0

    @property
    def _precision_name(self) -> str:
        return str(self._precision).removeprefix("torch.")

    @property
    def images_seen(self) -> int:
        return self.step * self._config.training.batch_size

    def stop(self) -> None:
        """Asks to finish the step, write a checkpoint and end; safe from a signal handler or a thread."""
        self._stop_asked = True

    def __iter__(self) -> Iterator[Event]:
        advice = "try a larger training.accumulation, or a smaller training.batch_size in a new run"
        with devices.memory_told(self._device, advice):
            yield from self._run()

    def _run(self) -> Iterator[Event]:
        training = self._config.training
        torch.manual_seed(derive(training.seed, "weights"))
        image_set = data.load(self._config.data, self._data_root)
        yield from (Notice(text) for text in image_set.notices)
        self._prepare(image_set.images, self._labels(image_set))
        yield from self._load(len(image_set.images))
        yield from self._compile()
        yield self._started(len(image_set.images))
        yield from self._interim.begin(self.step)
        if self._interim.unfinished(self.step) and self.step < training.steps:
            yield from self._evaluate()
        while self.step < training.steps and not self._stop_asked:
            self._train_step()
            yield from self._after_step()
        yield from self._save()
        if self.step < training.steps:
            yield Ended("stopped", self.step, self.images_seen)
            return
        yield from self._sample()
        done = not self._interim.wanted or (yield from self._evaluate())
        yield Ended("finished" if done else "stopped", self.step, self.images_seen)

    # -- set-up -------------------------------------------------------------------------------------

    def _prepare(self, images: Tensor, labels: Tensor | None) -> None:
        config, device = self._config, self._device
        devices.be_deterministic(device)
        self._feed = Feed(images, config, device, labels)
        self._objective = objectives.make(config, device)
        network = unet.make(config).to(device).to(memory_format=torch.channels_last)
        self._network = network.train()
        self._learner: nn.Module = network  # or it compiled
        self._compiled = compiling.wanted(self._config.training, device)
        self._graphs = False
        self._averages = ema.all_of(network, config.training)
        self._optimizer = make_optimizer(network, config.training)
        self._meter = Meter(device)

    def _labels(self, image_set: data.ImageSet) -> Tensor | None:
        """int64 (N,) where the network is told of classes. EngineError where the data has others."""
        classes = self._config.model.classes
        if not classes:
            return None
        if image_set.labels is None:
            raise EngineError(f"model.classes: it is {classes}, and the data has none; it must be 0")
        found = int(image_set.labels.max()) + 1
        if found != classes:
            raise EngineError(f"model.classes: it is {classes}, and the data has {found} classes")
        return image_set.labels

    def _compile(self) -> Iterator[Notice]:
        """Has the network compiled where that is wanted; goes on without where that fails, and tells it."""
        if self.step >= self._config.training.steps or not self._compiled:
            return
        yield Notice("compiling the network, which takes a minute or more")
        for graphs in compiling.ways(self._config, self._device):
            try:
                with self._arithmetic():
                    self._learner = compiling.compiled(
                        self._network, self._config, self._device, graphs=graphs
                    )
                self._graphs = graphs
                return
            except compiling.CompileError as error:
                reason = str(error)
            except (RuntimeError, MemoryError) as error:
                if not graphs or not devices.is_out_of_memory(error):
                    raise
                reason = "there is not the memory for it"
            compiling.forget(self._device)  # outside of the handler, whose traceback holds what was made
            yield Notice(f"{reason}; it learns without{' CUDA graphs' if graphs else ''}")
        self._compiled = False

    def _load(self, dataset_size: int) -> Iterator[Event]:
        """Takes up the newest checkpoint that is whole, or the weights to start from."""
        torn = checkpoint.torn(self._directory)
        yield from (Notice(f"{error}; it is passed over") for error in torn)
        for saved in reversed(checkpoint.whole(self._directory)):
            try:
                state = {name: self._read(saved, name) for name in saved.state["files"]}
            except checkpoint.CheckpointError as error:
                checkpoint.put_aside(saved)
                yield Notice(f"{error}; it was put aside")
                yield CheckpointRemoved(saved.step)
                continue
            yield from self._restore(saved, state, dataset_size)
            return
        if torn or checkpoint.any_put_aside(self._directory):
            raise EngineError("no checkpoint of this run can be read: start a new run, or put one back")
        if self._start_from is None and self._config.objective == "consistency":
            raise EngineError(NOT_FROM_ANOTHER)
        if self._start_from is not None:
            saved = checkpoint.open_folder(self._start_from)
            weights.load(self._network, saved, checkpoint.EMA)
            for average in self._averages.values():
                weights.load(average.network, saved, checkpoint.EMA)

    def _read(self, saved: checkpoint.Checkpoint, name: str) -> dict[str, Tensor]:
        return weights.tensors(saved.read(name), saved.path / name)

    def _restore(
        self, saved: checkpoint.Checkpoint, state: dict[str, dict[str, Tensor]], dataset_size: int
    ) -> Iterator[Notice]:
        batch_size = self._config.training.batch_size
        if saved.images_seen != saved.step * batch_size:
            raise EngineError(
                f"training.batch_size: the checkpoint of step {saved.step} has seen {saved.images_seen} "
                f"images, {batch_size} a step would be {saved.step * batch_size}"
            )
        try:
            weights.fill(self._network, state[checkpoint.MODEL], saved.path / checkpoint.MODEL)
            for name, average in self._averages.items():
                weights.fill(average.network, state[name], saved.path / name)
            load_state(self._optimizer, self._network, state[checkpoint.TRAINING])
            self._objective.load(_part(state[checkpoint.TRAINING], OBJECTIVE))
        except (KeyError, RuntimeError) as error:
            raise checkpoint.CheckpointError(f"{saved.path}: not of this training: {error}") from None
        self.step = saved.step
        self._precision = devices.precision(
            self._config.training.precision, self._device, saved.state.get("precision")
        )
        before = saved.state.get("dataset_size", dataset_size)
        if before != dataset_size:
            yield Notice(
                f"the data set had {before} images, now it has {dataset_size}: "
                "the run goes on, but not as it would have"
            )

    def _started(self, dataset_size: int) -> Started:
        return Started(
            step=self.step,
            images_seen=self.images_seen,
            total_steps=self._config.training.steps,
            device=str(self._device),
            device_name=devices.title(self._device),
            precision=self._precision_name,
            parameters=sum(p.numel() for p in self._network.parameters()),
            dataset=self._config.data.dataset,
            dataset_size=dataset_size,
        )

    # -- one step -----------------------------------------------------------------------------------

    def _train_step(self) -> None:
        training = self._config.training
        self._meter.start_step()
        rate = learning_rate(training, self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        drawn = self._objective.draw(self._feed.batch(self.images_seen))
        torch.manual_seed(derive(training.seed, "dropout", self.images_seen))
        loss = torch.zeros((), device=self._device)
        if self._graphs:
            torch.compiler.cudagraph_mark_step_begin()
        parts = (tensor.chunk(training.accumulation) for tensor in drawn)
        for part in zip(*parts, strict=True):
            part_loss = self._loss(*part) / training.accumulation
            part_loss.backward()
            loss += part_loss.detach()
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), training.gradient_clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.step += 1
        for average in self._averages.values():
            average.update(self._network, self.step)
        self._meter.add(loss, norm, rate)

    def _loss(self, *drawn: Tensor) -> Tensor:
        with self._arithmetic():
            return self._objective.loss(self._learner, *drawn)

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        """Of the network while it learns."""
        with (
            devices.arithmetic(self._precision, self._device, compiled=self._compiled),
            devices.attention_kernel(self._device),
        ):
            yield

    # -- between steps ------------------------------------------------------------------------------

    def _after_step(self) -> Iterator[Event]:
        training, step = self._config.training, self.step
        if step % training.log_every == 0:
            yield from self._metrics()
        if training.ema_snapshots and step % training.ema_snapshots == 0:
            snapshots.write(self._directory, step, self._averages, training.ema_lengths)
        if step == training.steps:
            return
        milestone = training.milestone_every and step % training.milestone_every == 0
        if milestone or step % training.checkpoint_every == 0:
            yield from self._save()
        if training.sample_every and step % training.sample_every == 0:
            yield from self._sample()
        if self._interim.due(step):
            yield from self._evaluate()

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
        return {
            checkpoint.MODEL: weights.to_bytes(self._network),
            **{name: weights.to_bytes(average.network) for name, average in self._averages.items()},
            checkpoint.TRAINING: safetensors.torch.save(self._training_state()),
        }

    def _training_state(self) -> dict[str, Tensor]:
        learned = {f"{OBJECTIVE}{name}": tensor for name, tensor in self._objective.state().items()}
        return state_tensors(self._optimizer, self._network) | learned

    def _state(self, milestone: bool) -> dict[str, Any]:
        return {
            "step": self.step,
            "images_seen": self.images_seen,
            "milestone": milestone,
            "dataset_size": len(self._feed),
            "precision": self._precision_name,
            "config": self._config.to_dict(),
        }

    def _sample(self) -> Iterator[Event]:
        """A grid of what the network makes; given up when a stop is asked for."""
        yield from self._metrics()  # so that the time it takes counts for no step
        config = self._drawn
        with self._subject() as subject:
            pixels = grids.pictures(subject, config, self._feed.first, lambda: self._stop_asked)
        if pixels is None:
            return
        path = self._directory / "samples" / f"{self.step:08d}.png"
        grids.write_grid(path, pixels, config, step=self.step)
        yield subject.drew(config, path.relative_to(self._directory).as_posix(), len(pixels))

    def _evaluate(self) -> Generator[Event, None, bool]:
        """Scores of the weights as they are now; False where a stop was asked for before they were known."""
        yield from self._metrics()
        with self._subject() as subject:
            return (yield from self._interim.examine(subject))

    @contextmanager
    def _subject(self) -> Iterator[Subject]:
        """The network to draw with as it is now, without dropout meanwhile."""
        (name,) = averages.sources(self._config.training, self._config.sampling)
        network = self._network if name == checkpoint.MODEL else self._averages[name].network
        was_training = network.training
        network.eval()
        try:
            yield Subject(network, self._device, self._precision, self.step, self.images_seen)
        finally:
            network.train(was_training)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
