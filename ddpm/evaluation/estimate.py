"""How long an evaluation will take on this machine, measured on a few images before it begins.

`python -m ddpm.evaluation.estimate CHECKPOINT --config JSON …` prints one JSON object: the times in seconds;
or {"unknown": why} where they cannot be measured yet; or {"error": why} where the evaluation would fail.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ddpm import asker, datafiles, devices, subject
from ddpm.config import Config
from ddpm.errors import EngineError
from ddpm.evaluation import classifier, reference
from ddpm.evaluation.features import Features, InceptionFeatures, batch_size, inception_identity
from ddpm.evaluation.places import Places, find_weights
from ddpm.subject import Subject

#: Seconds that one measured step should take at least: shorter ones say little.
_STEP_SECONDS = 0.2
#: Images that a processor's first measured step has, at most.
_FIRST_IMAGES = 8


class UnknownError(Exception):
    """How long it takes cannot be told yet, and why, in one line. The evaluation itself may well work."""


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds; the last step, the scores, is not among them: it takes up to a minute."""

    sampling_seconds: float
    feature_seconds: float
    reference_seconds: float
    reference_images: int  #: of the data set, whose features are not known yet
    device: str


def measure(config: Config, checkpoint: Path, places: Places, device: str = "auto") -> Times:
    """Draws a few images of a checkpoint for some steps and computes features of some.

    Raises EngineError for what the evaluation would fail by, UnknownError where weights or data must be
    downloaded first.
    """
    chosen = devices.resolve(device)
    weights = places.weights or find_weights(places.weights_folder)
    if weights is None:
        raise UnknownError(
            "the FID Inception weights are not on this machine; the run will first download them (91 MB)"
        )
    missing = _missing(config, places)
    count = config.evaluation.samples
    with devices.memory_told(chosen, f"try a sampling.batch_size below {config.sampling.batch_size}"):
        step = step_seconds(subject.from_checkpoint(checkpoint, config, chosen), config)
        inception = InceptionFeatures(weights, config.evaluation.convention, chosen)
        image = feature_seconds(inception, config, chosen, count + missing)
    return Times(
        sampling_seconds=step * config.sampling.resolved_steps(config.diffusion.timesteps) * count,
        feature_seconds=image * count,
        reference_seconds=image * missing,
        reference_images=missing,
        device=str(chosen),
    )


def step_seconds(source: Subject, config: Config) -> float:
    """Of one step of one image, drawn in batches as the evaluation does, or in smaller ones where those
    tell as much."""
    full = min(config.sampling.batch_size, config.evaluation.samples)
    size = full if source.device.type != "cpu" else min(full, _FIRST_IMAGES)
    while True:
        seconds = _seconds_of_steps(source, config, size)
        if size == full or seconds >= _STEP_SECONDS:
            return seconds / size
        size = min(full, 4 * size)


def _seconds_of_steps(source: Subject, config: Config, size: int) -> float:
    """Of a step of a batch: the second and third, as the first one also prepares."""
    repeated = itertools.repeat(range(size), 3)  # as there may be but one step
    steps = (source.draw(config, images) for images in repeated)
    times = []
    for step in itertools.islice(itertools.chain.from_iterable(steps), 3):
        step.x_t.flatten()[0].item()  # waits until the device is done
        times.append(time.monotonic())
    return (times[2] - times[0]) / 2


def feature_seconds(features: Features, config: Config, device: torch.device, needed: int) -> float:
    """Of one image; measured with no more of them than the evaluation needs."""
    count = min(batch_size(device), needed)
    images = torch.zeros(count, *config.data.shape, dtype=torch.uint8)
    features(images[:1] if device.type == "cpu" else images)  # prepares
    return _timed(lambda: features(images)) / count


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _missing(config: Config, places: Places) -> int:
    """Images of the data set whose Inception features are yet to be computed."""
    settings, data = config.evaluation, config.data
    network = inception_identity(settings.convention)
    asked = (data, settings.reference, network, InceptionFeatures.dimension, places)
    if reference.downloads(*asked, companions=settings.companions) or _classifier_downloads(config, places):
        raise UnknownError(
            f"the data set {data.dataset} is not in {datafiles.shown(places.data_root)}; the run will first "
            "download it"
        )
    return reference.missing(*asked, companions=settings.companions, floor=True)


def _classifier_downloads(config: Config, places: Places) -> bool:
    """Whether the data set is needed for the digit classifier. What it computes takes no time to speak of."""
    if not classifier.applies_to(config.data):
        return False
    small = classifier.ClassifierFeatures(places.classifier)
    asked = (config.data, config.evaluation.reference, small.identity, small.dimension, places)
    return reference.downloads(*asked, companions=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says; one JSON object on standard output."""
    parser = argparse.ArgumentParser(description="Measure how long an evaluation takes; prints JSON.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--config", required=True, help="the whole configuration, as JSON")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="file of the FID Inception weights")
    parser.add_argument("--classifier", type=Path, help="file of weights of the digit classifier")
    parser.add_argument("--weights-folder", type=Path, required=True)
    parser.add_argument("--references", type=Path, required=True)
    args = parser.parse_args(arguments)
    asker.end_with_it()
    places = Places(args.data_root, args.weights, args.weights_folder, args.references, args.classifier)
    try:
        config = Config.model_validate_json(args.config)
        print(json.dumps(asdict(measure(config, args.checkpoint, places, args.device))))
    except UnknownError as error:
        print(json.dumps({"unknown": str(error)}))
    except EngineError as error:
        print(json.dumps({"error": str(error)}))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
