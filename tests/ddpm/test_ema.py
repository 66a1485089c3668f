"""The average of weights."""

from functools import partial

import torch
from torch import nn

from ddpm import averages
from ddpm.checkpoint import EMA as MAIN
from ddpm.config_training import TrainingConfig
from ddpm.ema import EMA, all_of, warmed_up


def test_the_average_follows_its_recurrence_with_warm_up() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 1.0)
    ema, expected = EMA(network, partial(warmed_up, 0.5)), 1.0
    for step, value in enumerate([2.0, 3.0, -1.0, 4.0, 4.0, 4.0, 1.0, -2.0, 5.0, 3.0, 2.0, 7.0], start=1):
        nn.init.constant_(network.weight, value)
        ema.update(network, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert abs(ema.network.weight.item() - expected) < 1e-6


def test_warm_up_ends_at_the_decay() -> None:
    assert warmed_up(0.9999, 1) == 2 / 11
    assert warmed_up(0.9999, 10**6) == 0.9999


def test_buffers_are_copied_and_gradients_are_not_kept() -> None:
    network = nn.BatchNorm1d(2)
    ema = EMA(network, partial(warmed_up, 0.999))
    network.running_mean.fill_(7.0)  # type: ignore[union-attr]
    ema.update(network, 1)
    assert torch.equal(ema.network.running_mean, torch.full((2,), 7.0))  # type: ignore[arg-type]
    assert not any(p.requires_grad for p in ema.network.parameters())
    assert not ema.network.training


def test_the_source_is_left_alone() -> None:
    network = nn.Linear(3, 3)
    before = network.weight.clone()
    ema = EMA(network, partial(warmed_up, 0.9))
    nn.init.zeros_(network.weight)
    ema.update(network, 1)
    assert not network.weight.any()
    assert not torch.equal(ema.network.weight, before)


def test_several_are_kept_at_once_each_by_its_own_rule() -> None:
    training = TrainingConfig(ema_decay=0.9, ema_decays=(0.5,), ema_lengths=(0.1,))
    network = nn.Linear(1, 1, bias=False)
    kept = all_of(network, training)
    assert list(kept) == [MAIN, averages.file_of(0.5), averages.file_of(0.1)]
    for step in range(1, 400):
        nn.init.constant_(network.weight, float(step))
        for average in kept.values():
            average.update(network, step)
    main, short, power = (float(average.network.weight) for average in kept.values())
    assert abs(main - (399 - 9)) < 0.1  # a decay b lags b / (1 - b) steps behind
    assert abs(short - (399 - 1)) < 0.01
    assert 300 < power < 390
