"""The verb evaluate: what it refuses before anything is made, and a real evaluation from start to end."""

import json
from pathlib import Path

import pytest

from runs import directory
from runs.cli.main import main
from runs.home import find
from tests.runs.cli.command import call, call_json, record, tiny
from tests.runs.processes import add_checkpoint

REFUSED = [
    (["none"], 1, "there is no run 'none'"),
    (["base@5"], 1, "base (#1) has no whole checkpoint of step 5; there are: 10"),
    (["base@x"], 2, "write RUN@STEP"),
    (["drawn"], 1, "drawn (#2) is a sample run: only trainings have checkpoints"),
    (["base", "-n", "1"], 2, "evaluation.samples: '1' is not a whole number, at least 2"),
    (
        ["base", "--sampler", "ddmp"],
        2,
        "sampling.sampler: 'ddmp' is not one of ddpm, ddim, euler, ",
    ),
    (["base", "--convention", "tensorflw"], 2, "did you mean tensorflow?"),
    (["base", "--reference", "test"], 2, "evaluation.reference: data set digits has no test split"),
    (["base", "--weights", "/nowhere.pth"], 2, "evaluation.weights: /nowhere.pth does not exist"),
    (["base", "--weights", "/"], 2, "evaluation.weights: / is a folder, not a file"),
    (
        ["base", "--classifier", "x"],
        2,
        "evaluation.classifier: it knows MNIST's digits of 28 or 32 pixels alone, and the data set is",
    ),
    (["base", "--steps", "5000"], 2, "sampling.steps: 5000 is above diffusion.timesteps"),
    (["base", "--sampler", "unipc", "--eta", "1"], 2, "--eta: unipc has no choice of fresh noise"),
    (["base", "--rho", "3"], 2, "--rho: it is of spacing karras, not of uniform"),
    (["base", "--guidance-from", "0.5"], 2, "--guidance-from: there is no guidance"),
    (["base", "--device", "cuda 9"], 2, "--device: 'cuda 9' is not a device"),
    (["base", "--name", "last"], 2, "'last' cannot be a name"),
    (["base", "--compnions"], 2, "no option '--compnions'"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), REFUSED, ids=[" ".join(a) for a, *_ in REFUSED])
def test_what_evaluate_refuses(
    arguments: list[str],
    status: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DDPM_INCEPTION", raising=False)
    home = find(str(tmp_path))
    add_checkpoint(record(home, "base"), 10)
    record(home, "drawn").edit(kind="sample")
    try:
        left = main(["--home", str(tmp_path), "evaluate", *arguments])
    except SystemExit as leaving:
        left = int(leaving.code or 0)
    out, err = capsys.readouterr()
    assert (left, out) == (status, ""), err
    assert message in err.splitlines()[0]
    assert len(err.splitlines()) <= 2
    assert len(directory.all(home)) == 2


@pytest.mark.slow
@pytest.mark.real_data
def test_an_evaluation_from_start_to_end(tmp_path: Path, real_data: Path) -> None:
    from tests.runs.test_worker_evaluating import pictures

    weights = real_data / "inception" / "pt-inception-trunk.pth"
    data = ("data.dataset=folder", f"data.root={pictures(tmp_path / 'pictures')}", "data.image_size=8")
    few = tiny(*data, "training.batch_size=4", "evaluation.samples=9")
    done = call(tmp_path, "train", "digits", *few, "--name", "base", timeout=300)
    assert done.returncode == 0, done.stderr
    wanted = (
        "--steps",
        "3",
        "--batch-size",
        "4",
        "--seed",
        "7",
        "--convention",
        "pytorch-fid",
        "--device",
        "cpu",
    )
    done = call(tmp_path, "evaluate", "base@10", *wanted, timeout=300, DDPM_INCEPTION=str(weights))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0].startswith("base-evaluate-1 started: ")
    assert "base-evaluate-1 ✓ finished · images 9 · fid " in done.stdout
    assert "pytorch-fid convention" in done.stdout
    assert "9 images of seed 7" in done.stdout
    shown = call_json(tmp_path, "show", "last")
    (found,) = shown["evaluations"]
    assert (shown["kind"], shown["status"], shown["step"], shown["parent"]) == ("evaluate", "finished", 9, 1)
    assert (found["step"], found["seed"], found["samples"], found["fid"]) == (10, 7, 9, shown["fid"])
    assert found["protocol"]["sampling"]["steps"] == 3
    assert found["protocol"]["features"]["convention"] == "pytorch-fid"
    assert call_json(tmp_path, "show", "base")["evaluations"] == [found]
    assert [row["fid"] for row in call_json(tmp_path, "ls")] == [found["fid"]] * 2
    assert call_json(tmp_path, "leaderboard")[0]["rows"] == [found]
    done = call(tmp_path, "resume", "last")
    assert (done.returncode, "is finished; nothing is left to do" in done.stderr) == (1, True)
    done = call(tmp_path, "rm", "last")
    assert done.returncode == 0
    assert call_json(tmp_path, "show", "base")["fid"] is None
    assert json.loads(call(tmp_path, "leaderboard", "--json").stdout) == []
