"""What is made of the turns that engines take: ratios, the table, sizes, and that workers do as told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import environment, machine, ratios, table
from benchmarks.peers.networks import NETWORKS, configuration, specification, write_images
from benchmarks.peers.sizing import nearest
from benchmarks.peers.turns import Worker, WorkerError
from ddpm.sizes import parameters


def test_ratios_are_of_each_round() -> None:
    ours = {"training": [100.0, 50.0, 90.0], "start_up": [2.0], "memory": [500.0]}
    theirs = {"training": [50.0, 25.0, 30.0], "start_up": [5.0], "memory": [750.0]}
    found = ratios.against(ours, theirs)
    assert found["training"] == {
        "median": 2.0, "least": 2.0, "most": 3.0, "quartiles": [2.0, 2.5], "rounds": 3
    }  # fmt: skip
    assert found["start_up"]["median"] == 2.5  # smaller is better: how many times theirs is
    assert found["memory"]["median"] == 1.5
    assert "sampling" not in found


def test_a_round_that_ended_early_is_left_out() -> None:
    found = ratios.against({"training": [4.0, 6.0]}, {"training": [2.0]})
    assert (found["training"]["rounds"], found["training"]["median"]) == (1, 2.0)


def test_there_is_no_spread_of_nothing() -> None:
    assert ratios.spread([3.0])["quartiles"] == [3.0, 3.0]
    with pytest.raises(ValueError, match="nothing"):
        ratios.spread([])


def test_the_best_is_the_fastest_or_the_least() -> None:
    engines = {"a": {"training": [1.0, 9.0, 2.0], "memory": [3.0]}, "b": {"training": [3.0], "memory": [4.0]}}
    assert ratios.best(engines, "training") == "b"
    assert ratios.best(engines, "memory") == "a"
    assert ratios.best(engines, "sampling") is None


def result() -> dict[str, Any]:
    def engine(rate: float, count: int = 1_540_681) -> dict[str, Any]:
        return {"training": [rate, rate], "sampling": [], "start_up": [4.0], "memory": [900.0],
                "facts": {"parameters": count}}  # fmt: skip

    engines = {
        "ours": engine(120),
        "diffusers": engine(60),
        "diffusers:fused": engine(75),
        "diffusers:fused,compile": engine(100),
        "ddpm-pytorch": engine(40, 1_517_873),
    }
    compared = {e: ratios.against(engines["ours"], of) for e, of in engines.items() if e != "ours"}
    return {"network": "mnist", "engines": engines, "ratios": compared}


BEST = "diffusers, the best of its options (fused, compile)"


def test_the_table_has_ours_and_how_many_times_as_good_it_is() -> None:
    lines = table.lines([result()], {"training": "training", "sampling": "sampling"})
    assert lines == [
        "| network | engine | training | sampling | parameters |",
        "| --- | --- | ---: | ---: | ---: |",
        "| mnist | ours | 120 images/s | not measured | 1.54 M |",
        "|  | diffusers, as its example runs it | ×2.00 (2.00–2.00) | not measured | 1.54 M |",
        f"|  | {BEST} | ×1.20 (1.20–1.20) | not measured | 1.54 M |",
        "|  | denoising-diffusion-pytorch | ×3.00 (3.00–3.00) | not measured | 1.52 M |",
    ]


def test_a_peer_that_was_left_out_has_no_row() -> None:
    found = result()
    for name in ("diffusers:fused", "diffusers:fused,compile", "ddpm-pytorch"):
        del found["engines"][name]
    assert list(table.rows(found["engines"])) == ["diffusers, as its example runs it"]


def test_the_nearest_size_is_taken_and_none_that_is_too_far() -> None:
    assert nearest(lambda size: 10 * size, 203, range(8, 99, 2)) == 20
    assert nearest(lambda size: size**2, 401, range(2, 99)) == 20
    with pytest.raises(ValueError, match=r"5\.1%"):
        nearest(lambda size: size**2, 137, range(1, 99))


@pytest.mark.parametrize(("network", "least", "most"), [("mnist", 1.5e6, 1.6e6), ("cifar-2m", 1.9e6, 2.4e6)])
def test_networks_are_of_the_size_that_they_say(network: str, least: float, most: float) -> None:
    folder = Path("images")
    config = configuration(network, folder, 32)
    assert least < parameters(config) < most
    told = json.loads(json.dumps(specification(network, folder, 32, 16, None)))
    assert (told["batch"], told["draw"], told["steps"]) == (32, 16, 50)
    assert told["parameters"] == parameters(config)
    assert config.data.shape == (told["image_channels"], told["image_size"], told["image_size"])
    assert config.model.dropout == 0


def test_images_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peers.networks.IMAGES", 3)
    folder = write_images("mnist", tmp_path)
    first = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert sorted(first) == ["0000.png", "0001.png", "0002.png"]
    assert write_images("mnist", tmp_path) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == first


def test_a_machine_has_a_word_that_names_a_file() -> None:
    place = {"processor": "AMD EPYC (Milan)", "cores": 2, "flags": ["avx2", "fma"]}
    assert machine.slug(place) == "amd-epyc-milan-2-cores-avx2"
    found = machine.describe()
    assert json.loads(json.dumps(found)) == found
    assert machine.slug(found).strip("-")


def test_requirements_name_packages_and_versions_alone() -> None:
    for peer in environment.PEERS:
        text = (Path(environment.__file__).with_name(f"{peer}.txt")).read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert all(set(line) <= set("abcdefghijklmnopqrstuvwxyz0123456789-=.") for line in lines), peer
    with pytest.raises(ValueError, match="no peer"):
        environment.python_of("diffuser")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A specification of a network that takes no time."""
    small = ("model.channels=8", "model.multipliers=1,1", "model.attention=14")
    monkeypatch.setitem(NETWORKS, "mnist", ("mnist", small))
    monkeypatch.setattr("benchmarks.peers.networks.IMAGES", 8)
    told = specification("mnist", write_images("mnist", tmp_path), 4, 2, 1) | {"steps": 3}
    path = tmp_path / "told.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


@pytest.mark.peers
@pytest.mark.parametrize("options", ["", "channels_last,fused"])
def test_diffusers_trains_and_draws_when_told(tiny: Path, tmp_path: Path, options: str) -> None:
    pytest.importorskip("accelerate")
    with Worker(Path(sys.executable), f"diffusers:{options}", tiny, tmp_path / "log.txt") as worker:
        assert worker.start_up > 0
        assert min(worker.rates("train", seconds=0)) > 0
        assert min(worker.rates("draw")) > 0
        told = json.loads(tiny.read_text(encoding="utf-8"))
        assert worker.ask("facts")["parameters"] == told["parameters"]
        assert worker.ask("memory")["peak_mib"] > 1


def test_a_worker_that_cannot_says_why(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="KeyError: 'nobody'"):
        Worker(Path(sys.executable), "nobody", tiny, tmp_path / "log.txt")


def test_our_worker_trains_draws_and_refuses(tiny: Path, tmp_path: Path) -> None:
    with Worker(Path(sys.executable), "ours", tiny, tmp_path / "log.txt") as worker:
        assert worker.ask("train", seconds=0)["images"] % 4 == 0
        with pytest.raises(WorkerError, match="no request 'sing'"):
            worker.ask("sing")
        worker.ask("export", path=str(tmp_path / "weights.safetensors"))
    assert (tmp_path / "weights.safetensors").stat().st_size > 0
