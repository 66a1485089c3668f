"""Which numbers may be ranked together."""

import json
from dataclasses import replace

import pytest

from ddpm.configfiles import override, resolve
from ddpm.evaluation.examiner import sampling_protocol
from ddpm.evaluation.protocol import Protocol, differences, identity

BASE = Protocol(
    features={"network": "inception-2015-12-05", "weights": "a" * 64, "convention": "tensorflow"},
    reference={
        "dataset": "cifar10",
        "split": "train",
        "shape": [3, 32, 32],
        "images": 50_000,
        "data": "b" * 64,
    },
    samples=10_000,
    sampling={"sampler": "ddim", "steps": 50, "spacing": "uniform", "eta": 0.0, "weights": "ema"},
    companions={"kid_block": 1000},
)


def test_the_identity_outlives_json() -> None:
    again = json.loads(json.dumps(BASE.to_dict()))
    assert identity(again) == BASE.id == replace(BASE).id
    assert differences(again, BASE.to_dict()) == []


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(BASE, samples=5_000), "samples: 10000 against 5000"),
        (
            replace(BASE, features={**BASE.features, "convention": "pytorch-fid"}),
            "features.convention: tensorflow against pytorch-fid",
        ),
        (
            replace(BASE, features={**BASE.features, "weights": "c" * 64}),
            "features.weights: aaaaaaaaaaaa… against cccccccccccc…",
        ),
        (replace(BASE, reference={**BASE.reference, "split": "test"}), "reference.split: train against test"),
        (
            replace(BASE, sampling={**(BASE.sampling or {}), "weights": "model"}),
            "sampling.weights: ema against model",
        ),
        (replace(BASE, sampling=None), "sampling.sampler: ddim against none"),
    ],
)
def test_what_decides_about_fid_changes_it(other: Protocol, told: str) -> None:
    assert other.id != BASE.id
    assert told in differences(BASE.to_dict(), other.to_dict())


def test_companions_do_not_part_fids() -> None:
    assert replace(BASE, companions=None).id == BASE.id
    assert differences(replace(BASE, companions=None).to_dict(), BASE.to_dict()) == []


def test_what_is_none_says_as_much_as_what_is_left_out() -> None:
    """An id that differs always has a difference to show for it."""
    later = replace(BASE, sampling={**(BASE.sampling or {}), "variance": None})
    assert later.id == BASE.id
    assert differences(later.to_dict(), BASE.to_dict()) == []


@pytest.mark.parametrize(
    ("sampler", "eta", "told"),
    [
        ("ddim", 0.0, 0.0),
        ("ddim", 1.0, 1.0),
        ("dpmpp-2m", 0.0, None),
        ("dpmpp-2m", 1.0, 1.0),
        ("unipc", 1.0, None),
    ],
)
def test_fresh_noise_is_told_where_there_is_any(sampler: str, eta: float, told: float | None) -> None:
    """Of DDIM always; of those that once had none only above 0, so that older scores stay comparable."""
    config = override(resolve("mnist")[0], [f"sampling.sampler={sampler}", f"sampling.eta={eta}"])
    assert sampling_protocol(config)["eta"] == told
