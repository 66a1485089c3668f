"""Rows of features on disk, whatever interrupts their writing."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ddpm.evaluation import featurefile
from ddpm.evaluation.featurefile import FeatureFile


def test_rows_come_back_in_their_order(tmp_path: Path) -> None:
    rows = torch.randn(7, 5)
    file = FeatureFile(tmp_path / "made" / "features.f32", 5)
    assert len(file) == 0
    assert file.rows().shape == (0, 5)
    file.append(rows[:3])
    file.append(rows[3:])
    assert len(file) == 7
    assert np.array_equal(FeatureFile(file.path, 5).rows(), rows.numpy())


def test_a_torn_row_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "features.f32"
    FeatureFile(path, 4).append(torch.ones(2, 4))
    with path.open("ab") as file:
        file.write(b"\x00" * 15)
    again = FeatureFile(path, 4)
    assert len(again) == 2
    again.append(torch.full((1, 4), 2.0))
    assert again.rows()[:, 0].tolist() == [1, 1, 2]


def test_rows_reach_the_disk_at_intervals_and_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, synced = [0.0], []
    monkeypatch.setattr(featurefile.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(featurefile.os, "fsync", lambda _: synced.append(len(file)))
    file = FeatureFile(tmp_path / "f", 4)
    for now[0] in (1.0, 9.0, 11.0, 12.0, 22.0):
        file.append(torch.ones(2, 4))
    assert synced == [6, 10]
    file.append(torch.ones(2, 4))
    file.sync()
    assert synced == [6, 10, 12]


def test_other_columns_are_refused(tmp_path: Path) -> None:
    file = FeatureFile(tmp_path / "f", 4)
    with pytest.raises(ValueError, match=r"\(2, 3\).*4 columns"):
        file.append(torch.ones(2, 3))
    assert len(file) == 0


def test_what_is_cut_is_gone_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = FeatureFile(tmp_path / "f", 3)
    file.append(torch.arange(12.0).reshape(4, 3))
    file.cut(9)
    assert len(file) == 4
    file.cut(2)
    file.append(torch.full((1, 3), 7.0))
    assert FeatureFile(file.path, 3).rows()[:, 0].tolist() == [0, 3, 7]
