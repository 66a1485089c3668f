"""The work behind a server: what is asked together is computed together, and is what it would be alone."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm import checkpoint
from ddpm.config import Config
from ddpm.images import to_uint8
from ddpm.restoration.restoration import Restoration
from ddpm.sampling import draw
from ddpm.serving import requests
from ddpm.serving.limits import Busy, Limits, Refusal, TooMuch
from ddpm.serving.service import Service
from tests.ddpm.test_training import run, tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained")
    run(tiny("training.steps=20", "training.checkpoint_every=100"), directory)
    return checkpoint.folder(directory, 20)


@pytest.fixture
def service(trained: Path) -> Iterator[Service]:
    found = Service(trained, tiny(), device="cpu", batch_size=8, window=0.2, limits=Limits(count=20, side=64))
    yield found
    found.close()


def asked(service: Service, body: str) -> requests.Generation:
    return requests.generation(body.encode(), service.config, service.limits)


def schema(service: Service) -> dict[str, Any]:
    return requests.generate_schema(service.config, service.limits)


def png(height: int = 8, width: int = 8, seed: int = 0) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file))).astype(int)


def counting(service: Service) -> list[int]:
    """Sizes of the batches that the network sees from now on."""
    sizes: list[int] = []
    service.source.network.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    return sizes


def test_an_image_of_a_seed_is_the_one_that_sample_draws(service: Service) -> None:
    config = service.config.model_copy(
        update={"sampling": service.config.sampling.model_copy(update={"seed": 5, "steps": 4})}
    )
    *_, alone = draw(service.source.network, config, range(3))
    job = service.generate(asked(service, '{"count": 3, "seed": 5, "steps": 4}'))
    assert (to_uint8(job.done.result(30)).int() - to_uint8(alone.x_t).int()).abs().max() <= 1
    third = service.generate(asked(service, '{"seed": 5, "steps": 4, "first": 2}'))
    assert (to_uint8(third.done.result(30)).int() - to_uint8(alone.x_t[2:]).int()).abs().max() <= 1


CLASSES = ("model.classes=10", "training.ema_decay=0.5", "training.steps=20", "training.checkpoint_every=10")
GUIDED = ("sampling.guidance=2", "sampling.guidance_step=10", "training.milestone_every=10")


INTERVAL = {"guidance": 2.0, "guidance_from": 0.1, "guidance_to": 0.6}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ((), {}),
        (("sampling.guidance=2",), {}),
        ((), INTERVAL),
        (GUIDED, {}),
        (GUIDED, {**INTERVAL, "guidance_class": False}),
    ],
)
def test_a_network_that_is_told_of_classes_draws_those_asked_for(
    tmp_path: Path, settings: tuple[str, ...], told: dict[str, Any]
) -> None:
    """With no guidance, by the class, and by an earlier step; to the image that `sample` draws."""
    config = tiny(*CLASSES, *settings, "sampling.steps=4")
    run(config, tmp_path)
    found = Service(checkpoint.folder(tmp_path, 20), config, device="cpu", batch_size=8, window=0.0)
    try:
        sampling = config.sampling.model_copy(update={"seed": 5, "labels": (3, 7), **told})
        *_, alone = found.source.draw(config.model_copy(update={"sampling": sampling}), range(4))
        body = json.dumps({"count": 4, "seed": 5, "labels": [3, 7], **told})
        job = found.generate(asked(found, body))
        assert (to_uint8(job.done.result(30)).int() - to_uint8(alone.x_t).int()).abs().max() <= 1
        assert job.done.result(30).shape == (4, 1, 8, 8)
    finally:
        found.close()


def test_requests_that_want_the_same_are_computed_together_and_stay_what_they_are(service: Service) -> None:
    texts = [f'{{"count": {count}, "seed": {seed}, "steps": 3}}' for count, seed in ((2, 1), (1, 2), (3, 1))]
    alone = [service.generate(asked(service, text)).done.result(30) for text in texts]
    sizes = counting(service)
    jobs = [service.generate(asked(service, text)) for text in texts]
    together = [job.done.result(30) for job in jobs]
    assert sizes == [6, 6, 6]
    for one, other in zip(alone, together, strict=True):
        assert torch.allclose(one, other, atol=1e-3)


def test_requests_that_want_something_else_are_computed_apart(service: Service) -> None:
    sizes = counting(service)
    jobs = [service.generate(asked(service, f'{{"steps": {steps}}}')) for steps in (2, 3)]
    for job in jobs:
        job.done.result(30)
    assert sizes == [1] * 5


def test_many_images_of_one_request_are_computed_in_batches(service: Service) -> None:
    sizes = counting(service)
    assert service.generate(asked(service, '{"count": 20, "steps": 1}')).done.result(30).shape[0] == 20
    assert sorted(sizes) == [4, 8, 8]


def restoration(service: Service, **options: str) -> Config:
    return requests.restoration(options.items(), service.config)


def test_a_restoration_is_the_one_that_restore_makes(service: Service, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(11, 9))
    config = restoration(service, task="inpaint", steps="4", samples="2")
    engine = Restoration(
        config, trained, tmp_path, inputs=[str(tmp_path / "a.png")], data_root=tmp_path, device="cpu"
    )
    list(engine)
    found = service.restore(config, png(11, 9))
    file, told = service.restored(found, found.job.done.result(30))
    assert np.abs(pixels(file) - pixels((tmp_path / "images" / "a.png").read_bytes())).max() <= 1
    assert told["sigma"] == 0.0


def test_quality_is_told_where_the_truth_is_known(service: Service) -> None:
    config = restoration(service, task="super-resolution", steps="3", degrade="true")
    found = service.restore(config, png())
    _, told = service.restored(found, found.job.done.result(30))
    assert told["psnr"] is not None
    assert told["input_psnr"] is not None


def test_a_mask_is_an_image_beside(service: Service) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 3:6] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    config = restoration(service, task="inpaint", steps="3", method="repaint")
    found = service.restore(config, png(), file.getvalue())
    mended, _ = service.restored(found, found.job.done.result(30))
    assert (pixels(mended)[mask == 0] == pixels(png())[mask == 0]).all()
    with pytest.raises(Refusal, match="mask: it is for task=inpaint"):
        service.restore(restoration(service, task="denoise"), png(), file.getvalue())


@pytest.mark.parametrize(
    ("options", "image", "error", "message"),
    [
        ({"task": "denoise"}, b"no image", Exception, "is no image"),
        ({"task": "denoise"}, png(80, 8), TooMuch, "64"),
        ({"task": "super-resolution", "scale": "4"}, png(20, 20), TooMuch, "80×80 pixels; at most 64"),
        ({"task": "denoise", "samples": "256"}, png(64, 64), TooMuch, "ask for fewer steps or samples"),
        ({"task": "colorize"}, png(), Refusal, "this one knows grey"),
        ({"task": "compressed-sensing"}, png(), Refusal, "add degrade=true"),
        ({"task": "inpaint", "mask": "/etc/passwd"}, png(), Refusal, "mask: it is box, random, or an image"),
        ({"scale": "4"}, png(), Refusal, "scale: it is for super-resolution, and the task is denoise"),
        ({"sigma": "9"}, png(), Refusal, "sigma: '9' is not a number, at least 0"),
        ({"nonsense": "1"}, png(), Refusal, "'nonsense': no such option"),
    ],
)
def test_what_is_refused(
    service: Service, options: dict[str, str], image: bytes, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message.replace("(", r"\(")):
        service.restore(restoration(service, **options), image)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[1]", "no JSON object"),
        ("{", "the body is no JSON"),
        ('{"count": 21}', "count: 21 is above 20"),
        ('{"count": "many"}', "count"),
        ('{"first": -1}', "first: -1 is not a whole number"),
        ('{"steps": 100000}', "steps: 100000 is above"),
        ('{"ema": false}', "'ema': no such option"),
        ('{"guidance_to": 0.5}', "guidance_to: there is no guidance"),
        ('{"sampler": "unipc", "eta": 0.5}', "eta: unipc has no choice of fresh noise"),
    ],
)
def test_what_cannot_be_generated(service: Service, body: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        asked(service, body)


def test_a_client_may_send_every_default(service: Service) -> None:
    usual = {key: one["default"] for key, one in schema(service)["properties"].items()}
    assert asked(service, json.dumps(usual)) == asked(service, "{}")


def test_what_is_guided_elsewhere_is_computed_apart(service: Service) -> None:
    """The requests' keys tell, without a network that is told of classes."""
    config = tiny(*CLASSES, "sampling.guidance=2")
    keys = {
        requests.generation(body, config, service.limits).key
        for body in (b"{}", b'{"guidance_to": 0.5}', b'{"guidance_from": 0.5}')
    }
    assert len(keys) == 3


def test_a_short_request_does_not_wait_for_a_long_one(service: Service) -> None:
    long = service.restore(restoration(service, task="deblur", steps="20", samples="4"), png(64, 64))
    time.sleep(0.3)
    short = service.generate(asked(service, '{"steps": 2}'))
    short.done.result(30)
    assert not long.job.done.done()
    long.job.leave()


def test_a_full_queue_says_when_to_come_again(trained: Path) -> None:
    service = Service(trained, tiny(), device="cpu", window=5, limits=Limits(queue=2))
    try:
        jobs = [service.generate(asked(service, f'{{"seed": {seed}}}')) for seed in (1, 2)]
        with pytest.raises(Busy) as error:
            service.generate(asked(service, '{"seed": 3}'))
        assert error.value.retry_after >= 1
        jobs[0].leave()
        service.generate(asked(service, '{"seed": 3}'))
    finally:
        service.close()


def test_who_leaves_is_not_computed_for(service: Service) -> None:
    sizes = counting(service)
    job = service.generate(asked(service, '{"count": 20, "steps": 10}'))
    job.leave()
    service.generate(asked(service, '{"steps": 1}')).done.result(30)
    assert sum(sizes) < 20
