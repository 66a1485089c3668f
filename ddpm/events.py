"""What the engine reports while it works: small frozen records, in the order in which they happen.

Every event is plain data (numbers, strings, None) and goes into `events.jsonl` as one line by
`to_record`. Steps are optimiser steps; paths are relative to the run's directory, with `/`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Started:
    """The work begins, or goes on from `step`. What was recorded beyond `step` is void."""

    step: int
    images_seen: int
    total_steps: int
    device: str  #: as `ddpm.devices` names it: "cpu", "cuda:0"
    device_name: str  #: what it is: "NVIDIA H200"
    precision: str  #: "float32" or "bfloat16"
    parameters: int  #: trainable numbers of the network
    dataset: str
    dataset_size: int  #: images


@dataclass(frozen=True, slots=True)
class Metrics:
    """Means over the steps since the last Metrics."""

    step: int
    images_seen: int
    loss: float
    learning_rate: float
    gradient_norm: float  #: L2, before clipping
    images_per_second: float


@dataclass(frozen=True, slots=True)
class CheckpointWritten:
    """A checkpoint is on disk, whole and synced."""

    step: int
    images_seen: int
    path: str  #: "checkpoints/00010000"
    bytes: int
    milestone: bool  #: never removed by the run itself


@dataclass(frozen=True, slots=True)
class CheckpointRemoved:
    """An older checkpoint made room (`training.keep_checkpoints`)."""

    step: int


@dataclass(frozen=True, slots=True)
class SamplesWritten:
    """A grid of samples is on disk: row by row, the images 0, 1, 2, … of `seed`."""

    step: int
    images_seen: int
    path: str  #: "samples/00010000.png"
    count: int
    seed: int
    sampler: str  #: "ddim"
    sampler_steps: int  #: from noise to image; evaluations of the network can be more


@dataclass(frozen=True, slots=True)
class Denoising:
    """One step of a sampling run; frames (when drawn) are grids of x_t and of the predicted x_0."""

    index: int  #: 1 … total, over all batches
    total: int
    timestep: int  #: of the network evaluation, 0 … T-1
    done: int  #: images finished so far
    count: int  #: images in all
    x_t: str | None = None
    x_0: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluating:
    """How far an evaluation has come, at most about once a second and at the end of each stage."""

    step: int  #: of the checkpoint, or of the training that evaluates itself
    images_seen: int
    stage: str  #: "reference" (features of the data set), "samples" (drawn, and their features), "scores"
    done: int  #: images of this stage
    total: int
    seconds: float  #: spent in this stage since this process began it


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The scores of a checkpoint, and the protocol without which they say nothing."""

    step: int
    images_seen: int
    fid: float
    kid: float | None  #: None: not asked for, or too few images
    kid_error: float | None  #: standard error of `kid`
    precision: float | None  #: Kynkäänniemi et al. 2019
    recall: float | None
    density: float | None  #: Naeem et al. 2020
    coverage: float | None
    classifier_fd: (
        float | None
    )  #: Fréchet distance in a small classifier's features; None: none for this data
    floor: (
        dict[str, Any] | None
    )  #: the same scores of the data set's other split ("split", "samples", "fid", …)
    samples: int
    seed: int
    protocol: dict[str, Any]
    protocol_id: str  #: equal for numbers that may be ranked together
    sampling_seconds: float  #: of this process
    feature_seconds: float


@dataclass(frozen=True, slots=True)
class Restored:
    """How far a restoration has come. Means are over the images restored so far, None before the first and
    where the truth is not known; pictures are of the first images, as grids that go row by row."""

    done: int  #: images restored
    failed: int  #: inputs that could not be read
    count: int  #: inputs in all
    input_psnr: float | None  #: dB, of the degraded images (brought to the truth's size), 8 bits
    input_ssim: float | None
    psnr: float | None
    ssim: float | None
    sigma: float | None  #: noise reckoned with, mean share of the range from black to white
    degraded: str | None  #: path of a picture
    restored: str | None
    truth: str | None
    spread: str | None  #: standard deviation between restorations of one image; black is none


@dataclass(frozen=True, slots=True)
class BitsPerDim:
    """How likely a checkpoint finds the images of one part of its data set, by those measured so far.

    All in bits per dimension: the bound's mean, and what it is the sum of.
    """

    step: int  #: of the checkpoint
    images_seen: int
    split: str  #: "train" or "test"
    done: int  #: images measured
    count: int  #: to be measured of this part
    bits_per_dim: float
    error: float | None  #: standard error of the mean; None of a single image
    prior: float  #: L_T, the same whatever the network
    decoder: float  #: L_0
    edges: tuple[int, ...]  #: timesteps at which the bins of `terms` begin, and at last T
    terms: tuple[float, ...]  #: mean of L_t in each bin


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know, in one line."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a process that ended by itself."""

    status: str  #: "finished", "stopped" or "failed"
    step: int | None  #: None where it failed before it knew
    images_seen: int | None
    message: str | None = None  #: why it failed, in one line


Event = (
    Started
    | Metrics
    | CheckpointWritten
    | CheckpointRemoved
    | SamplesWritten
    | Denoising
    | Evaluating
    | Evaluated
    | Restored
    | BitsPerDim
    | Notice
    | Ended
)


def kind(event_type: type) -> str:
    """The name of an event in the record: `CheckpointWritten` is "checkpoint_written"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event_type.__name__).lower()


def to_record(event: Event, time: str) -> dict[str, Any]:
    """The event as one JSON object; `time` is ISO 8601 in UTC."""
    return {"event": kind(type(event)), "time": time, **asdict(event)}
