"""What the catalogue answers with: plain frozen records, free of SQLAlchemy, that every face reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["running", "finished", "stopped", "failed", "lost"]

#: Metrics of a training run that can be charted, as they are named in `metrics` events.
METRICS = ("loss", "learning_rate", "gradient_norm", "images_per_second")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in a list. Unknown is None. Times are ISO 8601 in UTC ("2026-11-23T14:25:00Z")."""

    id: int
    name: str
    kind: str  #: "train", "sample", "evaluate", "restore" or "likelihood"
    status: Status
    preset: str | None
    step: int | None
    total_steps: int | None  #: of a sampling or evaluating run: images
    images_seen: int | None
    loss: float | None
    images_per_second: float | None
    fid: float | None  #: of the decisive evaluation (see `RunDetail.decisive`)
    device: str | None
    created_at: str
    ended_at: str | None
    parent: int | None
    path: str  #: absolute
    tags: tuple[str, ...] = ()
    seconds_left: float | None = None  #: of a running run, from its last rows of metrics
    preparing: float | None = None  #: of a running evaluation that draws nothing yet: share of the reference
    waits_for: int | None = (
        None  #: of a running run that has not begun: number of the one that must end first
    )

    @property
    def state(self) -> str:
        """Its status, but "queued" while it waits for another."""
        return self.status if self.waits_for is None else "queued"


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    step: int
    images_seen: int | None
    path: str  #: absolute
    bytes: int | None
    milestone: bool
    created_at: str | None


@dataclass(frozen=True, slots=True)
class SampleRow:
    step: int
    images_seen: int | None
    path: str  #: absolute
    count: int | None
    seed: int | None
    sampler: str | None
    sampler_steps: int | None
    created_at: str | None


@dataclass(frozen=True, slots=True)
class FidProtocol:
    """What mostly keeps two FIDs from being compared. It may come from anyone's record."""

    id: str
    samples: int | None
    convention: str | None  #: of resize and scaling

    @classmethod
    def of(cls, protocol_id: str, protocol: dict[str, Any]) -> FidProtocol:
        features, samples = protocol.get("features"), protocol.get("samples")
        said = features.get("convention") if isinstance(features, dict) else None
        images = samples if type(samples) is int else None
        return cls(protocol_id, images, said if isinstance(said, str) else None)


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """The scores of one checkpoint under one protocol; `events.Evaluated` says what they are."""

    run_id: int  #: that recorded it: an evaluating run, or the training itself
    run_name: str
    subject_id: int | None  #: the training whose checkpoint it is; None where it is not in this home
    subject_name: str | None
    step: int
    images_seen: int | None
    fid: float
    kid: float | None
    kid_error: float | None
    precision: float | None
    recall: float | None
    density: float | None
    coverage: float | None
    classifier_fd: float | None
    floor: dict[str, Any] | None
    samples: int | None
    seed: int | None
    protocol: dict[str, Any]
    protocol_id: str
    seconds: float | None
    created_at: str | None

    @property
    def fid_protocol(self) -> FidProtocol:
        return FidProtocol.of(self.protocol_id, self.protocol)


@dataclass(frozen=True, slots=True)
class Standing:
    """Evaluations that may be ranked together: equal protocols, best (lowest FID) first."""

    protocol_id: str
    protocol: dict[str, Any]
    floor: dict[str, Any] | None  #: the latest known one
    rows: tuple[EvaluationRow, ...]


@dataclass(frozen=True, slots=True)
class EvaluatingRow:
    """How far a running evaluation has come; see `events.Evaluating`."""

    stage: str
    done: int
    total: int
    seconds_left: float | None  #: of this stage


@dataclass(frozen=True, slots=True)
class RunDetail:
    """All that is known of one run."""

    row: RunRow
    uuid: str
    notes: str
    error: str | None
    config: dict[str, Any]  #: nested, as in config.toml
    provenance: dict[str, Any]
    command: tuple[str, ...]
    started_at: str | None
    parameters: int | None
    device_name: str | None
    dataset_size: int | None
    notices: tuple[str, ...]
    checkpoints: tuple[CheckpointRow, ...]  #: oldest first
    samples: tuple[SampleRow, ...]  #: oldest first
    frame: DenoisingRow | None  #: the latest step of a sampling run
    bytes: int | None  #: on disk, when it was counted
    #: Of this run's checkpoints, or what an evaluating run found; oldest first.
    evaluations: tuple[EvaluationRow, ...] = ()
    evaluating: EvaluatingRow | None = None  #: while an evaluation works
    parent_step: int | None = None  #: of the checkpoint that a run which is no training works with
    restored: RestoredRow | None = None  #: what a restoring run has come to
    #: What a likelihood run has come to, or the newest of a training's, a row for each part.
    likelihood: tuple[LikelihoodRow, ...] = ()

    @property
    def decisive(self) -> EvaluationRow | None:
        """Which evaluation's FID is the run's: of its latest checkpoint that by the most images, of those the
        newest."""
        return max(self.evaluations, key=_weight, default=None)

    def decisive_under(self, protocol_id: str) -> EvaluationRow | None:
        """The same of those by one protocol."""
        return max(
            (row for row in self.evaluations if row.protocol_id == protocol_id), key=_weight, default=None
        )

    @property
    def fid_protocol(self) -> FidProtocol | None:
        """Of `row.fid`."""
        return self.decisive.fid_protocol if self.decisive else None


def _weight(row: EvaluationRow) -> tuple[Any, ...]:
    return row.step, row.samples or 0, row.created_at or "", row.run_id, row.protocol_id


@dataclass(frozen=True, slots=True)
class RestoredRow:
    """What has been restored so far; `events.Restored` says what it is. Paths are absolute."""

    done: int
    failed: int
    count: int
    input_psnr: float | None
    input_ssim: float | None
    psnr: float | None
    ssim: float | None
    sigma: float | None
    degraded: str | None
    restored: str | None
    truth: str | None
    spread: str | None


@dataclass(frozen=True, slots=True)
class LikelihoodRow:
    """How likely a checkpoint finds the images of one part; `events.BitsPerDim` says what it is."""

    split: str
    done: int
    count: int
    bits_per_dim: float
    error: float | None
    prior: float | None
    decoder: float | None
    edges: tuple[int, ...]
    terms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DenoisingRow:
    """A step of a sampling or restoring run; paths are absolute or None where no frame was drawn."""

    index: int
    total: int
    timestep: int
    done: int
    count: int
    x_t: str | None
    x_0: str | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Neighbouring points of a series drawn as one column. Non-finite points are left out."""

    x: float
    low: float
    high: float
    mean: float


@dataclass(frozen=True, slots=True)
class RunQuery:
    """A page of the table."""

    text: str = ""  #: every word must occur in name, preset, kind, status, tags, notes or `#id`
    sort: str = "id"  #: a field of RunRow
    descending: bool = True  #: unknown values come last either way
    limit: int = 200
    offset: int = 0
    kinds: tuple[str, ...] = field(default=())  #: all when empty
