"""Weights out of a run and into one, through the command."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ddpm import configfiles
from runs.directory import RunDirectory
from tests.runs.cli.command import call, call_json, tiny

pytestmark = pytest.mark.slow

ATTENTIVE = ("model.attention=8", "model.head_channels=4", "training.ema_decays=0.9")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one finished tiny training, "base"."""
    path = tmp_path_factory.mktemp("trained")
    done = call(path, "train", "digits", *tiny(*ATTENTIVE), "--name", "base", timeout=120)
    assert done.returncode == 0, done.stderr
    return path


def export(home: Path, run: str, to: str, out: Path, *options: str) -> None:
    done = call(home, "export", run, "--to", to, str(out), *options)
    assert done.returncode == 0, done.stderr
    assert f"{run.partition('@')[0]}@" in done.stdout
    assert str(out) in done.stdout


def ema(home: Path, run: str, name: str = "ema.safetensors") -> bytes:
    newest = call_json(home, "show", run)["checkpoints"][-1]
    return (Path(newest["path"]) / name).read_bytes()


@pytest.mark.parametrize("to", ["diffusers", "safetensors"])
def test_out_of_one_home_and_into_another(to: str, trained: Path, tmp_path: Path) -> None:
    export(trained, "base", to, tmp_path / "out")
    home = tmp_path / "home"
    made = call_json(home, "import", str(tmp_path / "out"), "--tag", "carried", "--note", "from afar")
    assert (made["kind"], made["status"], made["error"]) == ("train", "finished", None)
    assert made["name"] == ("base-1" if to == "safetensors" else "out-1")
    assert (made["tags"], made["notes"]) == (["carried"], "from afar")
    assert (made["step"], made["preset"]) == ((20, "digits") if to == "safetensors" else (None, None))
    assert made["provenance"]["imported"]["format"] == to
    assert [run["id"] for run in call_json(home, "ls")] == [1]
    assert ema(home, "last") == ema(trained, "base")
    assert not list((home / "runs").glob(".*"))


def test_an_imported_run_draws_restores_and_is_trained_on(trained: Path, tmp_path: Path) -> None:
    export(trained, "base@10", "diffusers", tmp_path / "out")
    home = tmp_path / "home"
    assert call(home, "import", str(tmp_path / "out"), "--name", "it").returncode == 0
    drawn = ("-n", "4", "--sampler", "ddim", "--eta", "0", "--steps", "2", "--seed", "3")
    for source, run in ((trained, "base@10"), (home, "it")):
        done = call(source, "sample", run, *drawn, "--out", str(tmp_path / source.name))
        assert done.returncode == 0, done.stderr
    ours, theirs = (sorted((tmp_path / name).glob("*.png")) for name in (trained.name, "home"))
    assert len(ours) == 4
    from PIL import Image

    for a, b in zip(ours, theirs, strict=True):
        assert Image.open(a).tobytes() == Image.open(b).tobytes()
    done = call(home, "restore", "it", "digits:train", "-n", "2", "--degrade", "--task", "denoise")
    assert done.returncode == 0, done.stderr
    done = call(home, "train", "digits", *tiny(*ATTENTIVE), "--from", "it", "--name", "on", timeout=120)
    assert done.returncode == 0, done.stderr
    assert call_json(home, "show", "on")["parent"] == 1
    done = call(home, "train", "digits", *tiny(), "--from", "it")
    assert done.returncode == 1
    assert "model.head_channels is 4 there and 0 here" in done.stderr
    done = call(home, "resume", "it", "--set", "training.steps=30")
    assert done.returncode == 1
    assert "it (#1) was imported, without the state of its training; `train --from it`" in done.stderr


def test_the_weights_that_were_asked_for(trained: Path, tmp_path: Path) -> None:
    for option, name in ((("--raw",), "model.safetensors"), (("--average", "0.9"), "ema-0.9.safetensors")):
        out = tmp_path / name
        export(trained, "base", "safetensors", out, *option)
        assert (out / "ema.safetensors").read_bytes() == ema(trained, "base", name)
    done = call(trained, "export", "base", str(tmp_path / "no"), "--to", "diffusers", "--average", "0.7")
    assert done.returncode == 2
    assert "sampling.average: the training keeps no average 0.7" in done.stderr
    export(trained, "base", "diffusers", tmp_path / "half", "--dtype", "bfloat16")
    half = safetensors.torch.load_file(tmp_path / "half" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in half.values()} == {torch.bfloat16}


def test_what_cannot_be_carried_is_refused(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(trained, "base", "diffusers", out)
    config = json.loads((out / "unet" / "config.json").read_text())
    (out / "unet" / "config.json").write_text(json.dumps(config | {"act_fn": "gelu\x1b[2J"}))
    home = tmp_path / "home"
    done = call(home, "import", str(out))
    assert (done.returncode, done.stdout) == (1, "")
    assert "act_fn is" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "\x1b" not in done.stderr
    assert call_json(home, "ls") == []
    assert not list((home / "runs").iterdir())


def test_the_folder_of_the_runs_holds_only_runs(trained: Path) -> None:
    before = sorted((trained / "runs").rglob("*"))
    for out in (trained / "runs/0099-x", trained / "runs/0001-base/out"):
        done = call(trained, "export", "base", str(out), "--to", "safetensors")
        assert done.returncode == 1
        assert "is in the folder of the runs, where there are only runs" in done.stderr
    assert sorted((trained / "runs").rglob("*")) == before


def test_a_denoiser_is_refused_by_name(trained: Path, tmp_path: Path) -> None:
    path = Path(call_json(trained, "show", "base")["path"])
    run = RunDirectory(path)
    before = run.config()
    run.write_config(configfiles.override(before, ["training.objective=noise2same"]))
    try:
        done = call(trained, "export", "base", str(tmp_path / "out"), "--to", "diffusers")
    finally:
        run.write_config(before)
    assert done.returncode == 1
    assert "training.objective: a network that learned to denoise (noise2same)" in done.stderr
    assert not (tmp_path / "out").exists()


def test_of_an_import_there_are_no_other_weights(trained: Path, tmp_path: Path) -> None:
    export(trained, "base", "safetensors", tmp_path / "out")
    home = tmp_path / "home"
    assert call(home, "import", str(tmp_path / "out"), "--name", "it").returncode == 0
    done = call(home, "export", "it", "--to", "safetensors", str(tmp_path / "raw"), "--raw")
    assert done.returncode == 1
    assert "has no model.safetensors (an average of the weights is all that it has)" in done.stderr


def test_a_name_that_is_taken_leaves_nothing_behind(trained: Path, tmp_path: Path) -> None:
    export(trained, "base", "safetensors", tmp_path / "out")
    before = sorted((trained / "runs").iterdir())
    done = call(trained, "import", str(tmp_path / "out"), "--name", "base")
    assert done.returncode == 1
    assert "a run named 'base' exists; 'base-1' is free" in done.stderr
    assert sorted((trained / "runs").iterdir()) == before


def test_what_a_killed_import_left_goes_with_the_next(trained: Path, tmp_path: Path) -> None:
    export(trained, "base", "safetensors", tmp_path / "out")
    home = tmp_path / "home"
    left = home / "runs" / ".import-left"
    left.mkdir(parents=True)
    assert call(home, "import", str(tmp_path / "out")).returncode == 0
    assert not left.exists()
