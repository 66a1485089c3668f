"""Which values of [sampling] do nothing as the others are."""

from __future__ import annotations

import pytest

from ddpm.config_sampling import SamplingConfig, idle

GUIDED = {"guidance_from", "guidance_to"}
STEP = {"guidance": 2.0, "guidance_step": 100}


@pytest.mark.parametrize(
    ("values", "classes", "keys"),
    [
        ({}, 0, {"rho", "guidance_class", *GUIDED}),
        ({"spacing": "karras"}, 0, {"guidance_class", *GUIDED}),
        ({"eta": 0.5}, 0, {"rho", "guidance_class", *GUIDED}),
        ({"eta": 0.5, "sampler": "unipc"}, 0, {"eta", "rho", "guidance_class", *GUIDED}),
        ({"guidance": 2.0}, 10, {"rho", "guidance_class"}),
        ({"guidance_step": 100}, 10, {"rho", "guidance_step", "guidance_class", *GUIDED}),
        (STEP, 10, {"rho"}),
        (STEP, 0, {"rho", "guidance_class"}),
    ],
)
def test_what_does_nothing_beside_the_others(values: dict[str, object], classes: int, keys: set[str]) -> None:
    assert set(idle(SamplingConfig.model_validate(values), classes)) == keys
