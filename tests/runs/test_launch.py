"""Launching: who holds the lock, who wins, what survives; with workers of a few lines."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ddpm import checkpoint, configfiles
from ddpm.config import Config, EvaluationConfig, SamplingConfig
from ddpm.configfiles import ConfigError
from runs import checks, directory, home, interpreter, launch, pinning, trash
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.estimating import checked
from runs.home import Home
from runs.status import probe
from tests.runs.processes import (
    SLEEPER,
    add_checkpoint,
    kill_all,
    make,
    script,
    tiny,
    wait_at_work,
    wait_end,
)


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Home]:
    found = home.find(str(tmp_path / "home"))
    yield found
    kill_all(found)


def test_a_launched_run_is_running_at_once_and_cannot_be_launched_again(at: Home) -> None:
    run = make(at)
    launch.launch(run, script(SLEEPER))
    assert probe(run.path) == "running"
    begin = time.monotonic()
    with pytest.raises(RunError, match=r"some run \(#1\) is running already"):
        launch.launch(run, script(SLEEPER))
    assert time.monotonic() - begin < 1  # told at once, not after the patience for probes


def test_of_many_launches_at_once_one_wins(at: Home) -> None:
    run = make(at)
    lost: list[RunError] = []

    def attempt() -> None:
        try:
            launch.launch(run, script(SLEEPER))
        except RunError as error:
            lost.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lost) == 5
    wait_at_work(run)
    assert run.events_path.read_text().count("started") == 1


def test_a_momentary_probe_does_not_keep_a_run_from_starting(at: Home) -> None:
    run = make(at)
    with (run.path / "run.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.2, lambda: fcntl.flock(file, fcntl.LOCK_UN)).start()
        launch.launch(run, script("pass"))
    assert wait_end(run) == "finished"


def test_it_works_elsewhere_without_the_terminal_and_its_log_grows(at: Home) -> None:
    run = make(at)
    run.log_path.write_text("before\n")
    code = "import os, sys; print(os.getcwd(), os.isatty(0), sys.stdin.read(), os.getsid(0) == os.getppid())"
    launch.launch(run, script(code))
    wait_end(run)
    assert run.log_path.read_text() == f"before\n{run.path} False  True\n"


def test_no_zombie_remains_of_a_run_that_ended(at: Home) -> None:
    run = make(at)
    launch.launch(run, script("pass"))
    wait_end(run)
    time.sleep(0.2)
    children = subprocess.run(
        ["ps", "-o", "stat=", "--ppid", str(os.getpid())], capture_output=True, text=True
    )
    assert "Z" not in children.stdout


def test_the_worker_finds_this_code_from_anywhere(tmp_path: Path) -> None:
    """Also where the working directory has modules of the same and of the standard library's names."""
    for name in ("runs.py", "json.py", "random.py"):
        (tmp_path / name).write_text("raise RuntimeError('shadowed')")
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(["relative", str(tmp_path / "other")])}
    environment = interpreter.environment(variables)
    assert environment["PYTHONPATH"].split(os.pathsep)[-2:] == [
        str(Path("relative").absolute()),
        str(tmp_path / "other"),
    ]
    argv = interpreter.command("runs.worker", str(tmp_path / "no run"))
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no run is not a run: run.json cannot be read: No such file" in done.stderr


def test_an_installed_package_needs_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(launch.__file__).resolve().parent.parent
    assert interpreter.environment({"HOME": "/h"})["PYTHONPATH"] == str(root)
    monkeypatch.setattr("sysconfig.get_path", lambda kind: str(root))
    assert "PYTHONPATH" not in interpreter.environment({"HOME": "/h"})


def test_names_are_made_from_preset_data_set_and_parent(at: Home) -> None:
    parent = make(at, None, stem="mnist")
    assert parent.name == "mnist-1"
    add_checkpoint(parent, 10)
    run = launch.new_sampling(at, parent, None, SamplingConfig(count=2, steps=2))
    assert run.name == "mnist-1-sample-1"
    assert probe(run.path) == "running"
    info = run.info
    assert info["parent"] == {"uuid": parent.uuid, "id": 1, "name": "mnist-1", "step": 10}
    assert info["checkpoint"] == str(parent.path / "checkpoints" / "00000010")
    assert run.config().sampling.count == 2
    assert run.config().model == parent.config().model


def test_an_evaluation_knows_its_checkpoint_data_and_weights(
    at: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DDPM_DATA", raising=False)
    monkeypatch.setenv("DDPM_INCEPTION", str(tmp_path / "inception.pth"))
    (tmp_path / "inception.pth").touch()
    parent = parent_with(at, 10)
    settings = EvaluationConfig(samples=7, convention="pytorch-fid")
    run = launch.new_evaluation(at, parent, None, settings, SamplingConfig(count=99, steps=2, seed=5))
    assert (run.name, run.kind) == ("parent-evaluate-1", "evaluate")
    info, config = run.info, run.config()
    assert info["parent"] == {"uuid": parent.uuid, "id": 1, "name": "parent", "step": 10}
    assert (info["data_root"], info["weights"]) == (str(at.datasets), str(tmp_path / "inception.pth"))
    assert info["provenance"]["seed"] == 5
    assert config.evaluation == settings
    assert (config.sampling.count, config.sampling.steps) == (7, 2)
    assert sorted(p.name for p in (run.path / "source").iterdir()) == ["ema.safetensors", "state.json"]


def test_what_an_evaluation_is_refused_for(at: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DDPM_INCEPTION", raising=False)
    parent = parent_with(at, 10)

    def refused(match: str, step: int | None = None, **settings: Any) -> None:
        with pytest.raises((ConfigError, RunError), match=match):
            launch.new_evaluation(at, parent, step, EvaluationConfig(**settings), SamplingConfig(steps=2))

    refused("no whole checkpoint of step 20; there are: 10", 20)
    refused(r"^evaluation\.weights: .*/nowhere\.pth does not exist$", weights=str(tmp_path / "nowhere.pth"))
    refused(r"^evaluation\.weights: .* is a folder, not a file$", weights=str(tmp_path))
    refused(r"^evaluation\.classifier: it knows MNIST's digits of .* is digits$", classifier="/x")
    refused(r"^evaluation\.reference: data set digits has no test split", reference="test")
    monkeypatch.setenv("DDPM_INCEPTION", str(tmp_path / "nowhere"))
    refused(r"^evaluation\.weights: .*/nowhere \(DDPM_INCEPTION\) does not exist$")
    with pytest.raises(ConfigError, match=r"sampling\.steps: 2000 is above"):
        launch.new_evaluation(at, parent, 10, EvaluationConfig(), SamplingConfig(steps=2000))
    other = make(at, "samples", kind="sample")
    with pytest.raises(RunError, match="is a sample run: only trainings have checkpoints"):
        launch.new_evaluation(at, other, None, EvaluationConfig(), SamplingConfig())
    with pytest.raises(ConfigError, match="does not exist"):  # it would evaluate itself, in hours
        launch.new_training(at, tiny("evaluation.every=10"))
    assert len(directory.all(at)) == 2


@pytest.mark.parametrize("objective", ["noise2same", "noise2noise", "supervised"])
def test_a_denoiser_is_not_asked_for_images(at: Home, objective: str) -> None:
    parent = make(at, "clean", f"training.objective={objective}")
    add_checkpoint(parent, 10)
    told = rf"^clean \(#1\) learned to denoise \(training\.objective {objective}\): it draws no images; "
    with pytest.raises(RunError, match=told):
        launch.new_sampling(at, parent, None, SamplingConfig())
    with pytest.raises(RunError, match=told):
        launch.new_evaluation(at, parent, 10, EvaluationConfig(), SamplingConfig())
    with pytest.raises(RunError, match=told):
        checked(parent, None, EvaluationConfig(), SamplingConfig())
    assert len(directory.all(at)) == 1


def test_where_the_data_of_a_training_are(at: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DDPM_DATA", raising=False)
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.mkdir()
    recorded = make(at, "recorded", data_root=there)
    assert checks.trained_data(at, recorded, tiny()) == there
    assert checks.trained_data(at, recorded, tiny(f"data.root={tmp_path}")) == tmp_path
    assert checks.trained_data(at, recorded, tiny(f"data.root={gone}")) == there  # of another machine
    assert checks.trained_data(at, make(at, "copied", data_root=gone), tiny()) == at.datasets
    pictures = tiny("data.dataset=folder", f"data.root={gone}", "data.image_size=8")
    assert checks.trained_data(at, recorded, pictures) == gone  # to be named where it is missed
    monkeypatch.setenv("DDPM_DATA", str(tmp_path))
    assert checks.trained_data(at, recorded, tiny()) == tmp_path


def test_a_sampling_run_keeps_the_weights_it_was_started_with(at: Home) -> None:
    parent = make(at, "mnist")
    taken = add_checkpoint(parent, 10)
    run = launch.new_sampling(at, parent, 10, SamplingConfig(count=2, steps=2))
    held = pinning.source_of(run.path, run.info)
    assert held == run.path / "source"
    assert (held / "ema.safetensors").samefile(taken / "ema.safetensors")
    before = trash.size(taken / "ema.safetensors"), trash.size(held / "ema.safetensors")
    checkpoint.remove(checkpoint.open_folder(taken))
    saved = checkpoint.open_folder(held)
    assert (saved.step, list(saved.state["files"]), saved.read("ema.safetensors")) == (
        10,
        ["ema.safetensors"],
        b"e",
    )
    assert sum(before) <= trash.size(held / "ema.safetensors") == 1
    raw = launch.new_sampling(at, parent_with(at, 20), 20, SamplingConfig(count=2, steps=2, ema=False))
    assert sorted(p.name for p in (raw.path / "source").iterdir()) == ["model.safetensors", "state.json"]


def test_a_training_keeps_the_weights_it_begins_with(at: Home) -> None:
    parent = parent_with(at, 10)
    run = launch.new_training(at, tiny(), start=(parent, 10))
    shutil.rmtree(parent.path)
    assert checkpoint.open_folder(run.path / "source").read("ema.safetensors") == b"e"
    run.edit(checkpoint=None)
    assert pinning.source_of(run.path, run.info) == run.path / "source"


def test_a_checkpoint_that_goes_while_it_is_taken(at: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = parent_with(at, 10)
    add_checkpoint(parent, 20)
    link = os.link

    def removed_before(source: Path, target: Path) -> None:
        for step in (10, 20):
            if checkpoint.folder(parent.path, step).exists():
                checkpoint.remove(checkpoint.open_folder(checkpoint.folder(parent.path, step)))
                break
        if not source.exists():
            add_checkpoint(parent, 30)
        link(source, target)

    monkeypatch.setattr(os, "link", removed_before)
    with pytest.raises(RunError, match="just been removed"):
        launch.new_sampling(at, parent, 10, SamplingConfig(count=2, steps=2))
    assert [run.name for run in directory.all(at)] == ["parent"]
    run = launch.new_sampling(at, parent, None, SamplingConfig(count=2, steps=2))
    assert run.info["parent"]["step"] == 30


def test_where_links_fail_the_weights_are_copied(at: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    taken = add_checkpoint(make(at, "mnist"), 10)
    pinning.pin(taken, at.path, pinning.Wanted(("ema.safetensors",)))
    assert checkpoint.open_folder(at.path / "source").read("ema.safetensors") == b"e"


def parent_with(at: Home, step: int) -> RunDirectory:
    run = make(at, "parent")
    add_checkpoint(run, step)
    return run


def test_a_sampling_run_needs_a_training_with_a_whole_checkpoint(at: Home) -> None:
    parent = make(at, "mnist")
    with pytest.raises(
        RunError, match=r"mnist \(#1\) has no whole checkpoint; one is written every 10 steps"
    ):
        launch.new_sampling(at, parent, None, SamplingConfig())
    add_checkpoint(parent, 10)
    torn = add_checkpoint(parent, 20)
    (torn / "ema.safetensors").unlink()
    with pytest.raises(RunError, match="no whole checkpoint of step 20; there are: 10"):
        launch.new_sampling(at, parent, 20, SamplingConfig())
    with pytest.raises(ConfigError, match=r"sampling\.steps: 2000 is above"):
        launch.new_sampling(at, parent, 10, SamplingConfig(steps=2000))
    other = make(at, "samples", kind="sample")
    with pytest.raises(RunError, match=r"samples \(#2\) is a sample run: only trainings have checkpoints"):
        launch.new_sampling(at, other, 10, SamplingConfig())
    with pytest.raises(RunError, match="is a sample run: only trainings have checkpoints"):
        launch.new_training(at, tiny(), start=(other, 10))
    with pytest.raises(RunError, match="is a sample run: only trainings have checkpoints"):
        checks.latest_step(other)
    assert len(directory.all(at)) == 2


def test_out_is_checked_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    assert checks.check_out(tmp_path / "new" / "grid.png") == tmp_path / "new" / "grid.png"
    assert checks.check_out(tmp_path / "images") == tmp_path / "images"
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mine.png").touch()
    checks.check_out(tmp_path / "images")
    (tmp_path / "images" / "000012.png").touch()  # of another seed: they would be taken for one set
    with pytest.raises(RunError, match="images holds numbered images already"):
        checks.check_out(tmp_path / "images")
    for bad, reason in (("folder.png", "is a folder"), ("file", "is a file"), ("file/grid.png", "is a file")):
        with pytest.raises(RunError, match=reason):
            checks.check_out(tmp_path / bad)


def test_a_start_from_another_network_is_refused_with_what_differs(at: Home) -> None:
    parent = make(at, "small")
    add_checkpoint(parent, 10)
    with pytest.raises(
        RunError, match=r"small@10 is of another network: model.channels is 8 there and 16 here"
    ):
        launch.new_training(at, tiny("model.channels=16"), start=(parent, 10))
    with pytest.raises(RunError, match="attention by resolution is no,no there and yes,no here"):
        launch.new_training(at, tiny("model.attention=8"), start=(parent, 10))
    checks.check_same_network(parent, 10, tiny("training.learning_rate=1e-3", "model.attention=64"))
    assert len(directory.all(at)) == 1


@pytest.mark.parametrize("device", ["", "cuda:", "gpu 0", "cuda:x", "cpu\n"])
def test_device_names(device: str) -> None:
    if device.strip() == "cpu":
        assert checks.check_device(device) == "cpu"
        return
    with pytest.raises(RunError, match="write auto, cpu, cuda"):
        checks.check_device(device)


def test_relative_paths_are_recorded_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert checks.absolute_paths(tiny("data.root=pictures")).data.root == str(tmp_path / "pictures")
    given = checks.absolute_paths(tiny("evaluation.weights=inception.pth"))
    assert given.evaluation.weights == str(tmp_path / "inception.pth")
    given = checks.absolute_paths(tiny("evaluation.classifier=mine.safetensors"))
    assert given.evaluation.classifier == str(tmp_path / "mine.safetensors")
    assert checks.absolute_paths(tiny()) == tiny()


def test_the_launcher_may_be_killed_right_after(at: Home) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from runs.directory import RunDirectory; from runs.launch import launch\n"
        "from tests.runs.processes import SLEEPER, script\n"
        "launch(RunDirectory(Path(sys.argv[1])), script(SLEEPER)); os.kill(os.getpid(), 9)"
    )
    run = make(at)
    assert subprocess.run([sys.executable, "-c", code, str(run.path)]).returncode == -9
    wait_at_work(run)
    assert probe(run.path) == "running"


def test_a_classifier_of_ones_own_must_be_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DDPM_INCEPTION", raising=False)
    own = tmp_path / "mine.safetensors"

    def given(path: Path) -> Config:
        return configfiles.resolve("mnist", [f"evaluation.classifier={path}"])[0]

    with pytest.raises(ConfigError, match=r"^evaluation\.classifier: .*mine\.safetensors does not exist$"):
        checks.check_evaluation(given(own))
    with pytest.raises(ConfigError, match=r"^evaluation\.classifier: .* is a folder, not a file$"):
        checks.check_evaluation(given(tmp_path))
    own.touch()
    assert checks.check_evaluation(given(own)) is None


def test_of_a_run_that_cannot_be_started_nothing_is_left(at: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch.sys, "executable", "/nowhere/python")
    with pytest.raises(RunError, match="the run could not be started: No such file"):
        launch.new_training(at, tiny())
    assert list(at.runs.iterdir()) == []
