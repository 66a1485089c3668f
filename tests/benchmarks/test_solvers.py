"""The table of FID against evaluations: which cells it has, and that it goes on from what is kept."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.solvers import Cell, cells, measure, table
from ddpm.configfiles import resolve
from ddpm.evaluation.places import Places


def test_cells_take_no_more_evaluations_than_told() -> None:
    trained = resolve("mnist")[0]
    asked = list(cells(["ddpm", "heun", "unipc"], [10, 1000], "uniform"))
    assert [cell.name for cell in asked] == [
        "ddpm-0010-uniform", "heun-0010-uniform", "unipc-0010-uniform", "ddpm-1000-uniform"
    ]  # fmt: skip
    for cell in asked:
        config = cell.config(trained, 100)
        taken = config.sampling.evaluations(config.diffusion.timesteps)
        assert cell.nfe - 1 <= taken <= cell.nfe


def test_ddim_is_tried_with_and_without_fresh_noise() -> None:
    without, with_noise = cells(["ddim"], [10], "quadratic")
    assert [without.name, with_noise.name] == ["ddim-0010-quadratic", "ddim-0010-quadratic-eta1"]
    trained = resolve("mnist")[0]
    assert [cell.config(trained, 100).sampling.eta for cell in (without, with_noise)] == [0.0, 1.0]


def test_the_table_has_a_row_for_each_solver_and_holes_where_nothing_is_known() -> None:
    kept = [
        {"solver": "unipc", "spacing": "uniform", "nfe": 10, "fid": 7.126},
        {"solver": "ddpm", "spacing": "uniform", "nfe": 1000, "fid": 5.0},
        {"solver": "ddim", "eta": 0.0, "spacing": "quadratic", "nfe": 10, "fid": 8.0},
        {"solver": "ddim", "eta": 1.0, "spacing": "quadratic", "nfe": 10, "fid": 6.0},
    ]
    assert table(kept) == [
        "| solver | spacing | 10 | 1,000 |",
        "| --- | --- | ---: | ---: |",
        "| ddim | quadratic | 8.00 |  |",
        "| ddim, eta 1 | quadratic | 6.00 |  |",
        "| ddpm | uniform |  | 5.00 |",
        "| unipc | uniform | 7.13 |  |",
    ]


def test_what_is_kept_is_not_done_again(tmp_path: Path) -> None:
    cell = Cell("ddim", 5, "uniform")
    (tmp_path / f"{cell.name}.json").write_text(json.dumps({"fid": 1.0}))
    nowhere = tmp_path / "no such folder"
    places = Places(nowhere, None, nowhere, nowhere)
    measure(cell, resolve("mnist")[0], 100, nowhere, places, tmp_path)  # would fail: there is no checkpoint
    assert not nowhere.exists()
