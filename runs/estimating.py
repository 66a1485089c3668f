"""How long an evaluation will take, measured before it is started by a process that has torch."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddpm.config import Config, EvaluationConfig, SamplingConfig
from runs.checks import (
    check_device,
    check_evaluation,
    check_weights,
    checkpoint_of,
    latest_step,
    trained_data,
)
from runs.directory import RunDirectory
from runs.engine import answers
from runs.errors import RunError
from runs.home import Home
from runs.launch import evaluation_config

MODULE = "ddpm.evaluation.estimate"


class UnknownTimeError(RunError):
    """How long it takes cannot be told, and why; the evaluation may well work."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """In seconds; the time of the scores themselves, up to a minute, aside."""

    seconds: float
    sampling_seconds: float
    feature_seconds: float
    reference_seconds: float  #: features of the data set that are not known yet; 0 from then on
    reference_images: int
    device: str


def checked(
    parent: RunDirectory, step: int | None, evaluation: EvaluationConfig, sampling: SamplingConfig
) -> tuple[Config, Path | None, Path]:
    """Configuration, named file of Inception weights and checkpoint of an evaluation. RunError or ConfigError
    for what can be told at once to be wrong."""
    config = evaluation_config(parent, evaluation, sampling)
    weights = check_evaluation(config)
    step = latest_step(parent) if step is None else step
    check_weights(parent, step, config)
    return config, weights, checkpoint_of(parent, step)


def estimate(
    home: Home,
    parent: RunDirectory,
    step: int | None,
    evaluation: EvaluationConfig,
    sampling: SamplingConfig,
    *,
    device: str = "auto",
) -> Estimate:
    """Of what `runs.launch.new_evaluation` would start with these values. Takes some seconds.

    UnknownTimeError where weights or data have to be downloaded first; RunError and ConfigError for what the
    run would fail by.
    """
    config, weights, checkpoint = checked(parent, step, evaluation, sampling)
    arguments = {
        "config": config.model_dump_json(),
        "device": check_device(device),
        "data-root": trained_data(home, parent, config),
        "weights": weights,
        "classifier": config.evaluation.classifier,
        "weights-folder": home.weights,
        "references": home.references,
    }
    options = [f"--{key}={value}" for key, value in arguments.items() if value is not None]
    with closing(answers(MODULE, str(checkpoint), *options)) as told:
        found: dict[str, Any] = next(told, {"unknown": f"{MODULE} says nothing"})
    if "unknown" in found:
        raise UnknownTimeError(str(found["unknown"]))
    seconds = sum(found[key] for key in ("sampling_seconds", "feature_seconds", "reference_seconds"))
    return Estimate(seconds=seconds, **found)
