"""What resuming allows and changes, on directories as runs leave them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddpm.configfiles import ConfigError
from runs import home
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.resuming import prepare
from tests.runs.processes import add_checkpoint, make


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A training of 20 steps that was stopped at 10."""
    run = make(home.find(str(tmp_path)))
    add_checkpoint(run, 10)
    end(run, "stopped", 10)
    (run.path / "stop").touch()
    return run


def end(run: RunDirectory, status: str, step: int) -> None:
    run.append_event({"event": "ended", "status": status, "step": step})
    (run.path / "exit.json").write_text(json.dumps({"status": status}))


def test_the_end_is_put_aside_and_the_stop_removed(run: RunDirectory) -> None:
    before = run.config_text
    prepare(run, [])
    assert not (run.path / "exit.json").exists()
    assert not (run.path / "stop").exists()
    assert json.loads((run.path / "exit.1.json").read_text()) == {"status": "stopped"}
    assert run.config_text == before
    end(run, "failed", 12)
    prepare(run, [])
    assert json.loads((run.path / "exit.2.json").read_text()) == {"status": "failed"}
    prepare(run, [])  # of one that was lost: there is no exit.json


def test_settings_are_applied(run: RunDirectory) -> None:
    prepare(run, ["training.steps=40", "training.learning_rate=1e-3", "sampling.count=9"])
    config = run.config()
    assert (config.training.steps, config.training.learning_rate, config.sampling.count) == (40, 1e-3, 9)


@pytest.mark.parametrize(
    "setting",
    [
        "model.channels=16",
        "data.flip=true",
        "diffusion.timesteps=50",
        "training.seed=1",
        "training.batch_size=4",
        "training.objective=noise2same",
        "denoising.sigma=0.5",
    ],
)
def test_what_would_make_it_another_run_is_refused(run: RunDirectory, setting: str) -> None:
    before = run.config_text
    with pytest.raises(ConfigError) as caught:
        prepare(run, ["training.steps=40", setting])
    assert caught.value.problems[0].startswith(f"{setting.split('=')[0]}: cannot change when resuming")
    assert len(caught.value.problems) == 1
    assert run.config_text == before
    assert (run.path / "exit.json").exists()
    assert (run.path / "stop").exists()


def test_each_refused_setting_has_its_line(run: RunDirectory) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(run, ["training.seed=1", "model.blocks=2"])
    assert [p.split(":")[0] for p in caught.value.problems] == ["model.blocks", "training.seed"]
    prepare(run, ["training.seed=0", "model.blocks=1"])  # as they are: no change


def test_a_run_may_go_on_on_another_device(run: RunDirectory) -> None:
    run.edit(device="cuda:3")
    with pytest.raises(ConfigError):
        prepare(run, ["training.steps=5"], "cpu")
    assert run.info["device"] == "cuda:3"
    prepare(run, [])
    assert run.info["device"] == "cuda:3"
    prepare(run, [], "cpu")
    assert run.info["device"] == "cpu"


@pytest.mark.parametrize("steps", [5, 10])
def test_steps_must_be_above_what_is_done(run: RunDirectory, steps: int) -> None:
    with pytest.raises(
        ConfigError, match=rf"training.steps: {steps} is not above the 10 steps that are done"
    ):
        prepare(run, [f"training.steps={steps}"])


def test_a_finished_run_can_only_be_extended(run: RunDirectory) -> None:
    add_checkpoint(run, 20)
    end(run, "finished", 20)
    with pytest.raises(RunError, match=r"already at step 20 of 20; extend it with --set training\.steps=…"):
        prepare(run, [])
    prepare(run, ["training.steps=21"])
    assert run.config().training.steps == 21


def test_a_run_that_died_between_its_last_step_and_its_end_goes_on(run: RunDirectory) -> None:
    add_checkpoint(run, 20)
    end(run, "failed", 20)
    prepare(run, [])


def test_a_finished_run_without_checkpoints_is_told(tmp_path: Path) -> None:
    run = make(home.find(str(tmp_path)))
    end(run, "finished", 20)
    with pytest.raises(RunError, match="no whole checkpoint left to go on from"):
        prepare(run, ["training.steps=40"])


def test_sampling_runs_go_on_as_they_are(tmp_path: Path) -> None:
    run = make(home.find(str(tmp_path)), kind="sample")
    end(run, "stopped", 10)
    with pytest.raises(RunError, match="takes no settings"):
        prepare(run, ["sampling.count=9"])
    prepare(run, [])
    end(run, "finished", 10)
    with pytest.raises(RunError, match="is finished; nothing is left to do"):
        prepare(run, [])


@pytest.fixture
def evaluation(tmp_path: Path) -> RunDirectory:
    """An evaluating run that was stopped, of a machine where data and weights lay elsewhere."""
    places = {"data_root": tmp_path / "gone", "inception": tmp_path / "gone" / "inception.pth"}
    run = make(home.find(str(tmp_path)), kind="evaluate", **places)
    end(run, "stopped", 10)
    return run


def test_an_evaluation_goes_on_where_data_and_weights_are_now(
    evaluation: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DDPM_DATA", raising=False)
    monkeypatch.delenv("DDPM_INCEPTION", raising=False)
    prepare(evaluation, [])
    assert (evaluation.info["data_root"], evaluation.info["weights"]) == (str(tmp_path / "datasets"), None)
    assert not (evaluation.path / "exit.json").exists()
    (tmp_path / "mine.pth").touch()
    monkeypatch.chdir(tmp_path)
    prepare(evaluation, ["evaluation.weights=mine.pth", "data.root=."])
    weights = str(tmp_path / "mine.pth")
    assert (evaluation.info["data_root"], evaluation.info["weights"]) == (str(tmp_path), weights)
    assert evaluation.config().evaluation.weights == weights
    prepare(evaluation, [])
    assert evaluation.info["weights"] == weights


def test_weights_named_by_the_environment_stay_those_of_the_run(
    evaluation: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).touch()
    monkeypatch.setenv("DDPM_INCEPTION", str(tmp_path / "first"))
    prepare(evaluation, [])
    monkeypatch.setenv("DDPM_INCEPTION", str(tmp_path / "second"))
    prepare(evaluation, [])
    assert evaluation.info["weights"] == str(tmp_path / "first")


def test_what_an_evaluation_does_not_go_on_with(
    evaluation: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DDPM_INCEPTION", raising=False)
    with pytest.raises(
        RunError,
        match=r"no settings but data\.root and evaluation\.weights and evaluation\.classifier; start a",
    ):
        prepare(evaluation, ["evaluation.samples=9"])
    with pytest.raises(ConfigError, match=r"evaluation\.weights: .*/nowhere does not exist"):
        prepare(evaluation, [f"evaluation.weights={tmp_path / 'nowhere'}"])
    end(evaluation, "finished", 10)
    with pytest.raises(RunError, match="is finished; nothing is left to do"):
        prepare(evaluation, [])
    assert (evaluation.path / "exit.json").exists()


def test_a_training_that_is_to_evaluate_itself_needs_its_weights(run: RunDirectory, tmp_path: Path) -> None:
    given = ["evaluation.every=5", f"evaluation.weights={tmp_path / 'inception.pth'}"]
    with pytest.raises(ConfigError, match=r"evaluation\.weights: .* does not exist"):
        prepare(run, given)
    (tmp_path / "inception.pth").touch()
    prepare(run, given)
    assert run.info["weights"] == str(tmp_path / "inception.pth")


def test_data_that_moved_are_found_again(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DDPM_DATA", raising=False)
    run.edit(data_root="/of/another/machine")
    prepare(run, [])
    assert run.info["data_root"] == str(tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    prepare(run, ["data.root=elsewhere"])
    assert run.info["data_root"] == str(tmp_path / "elsewhere")


def test_a_broken_configuration_is_told(run: RunDirectory) -> None:
    (run.path / "config.toml").write_text("[training\n")
    with pytest.raises(ConfigError, match=r"config\.toml: not TOML"):
        prepare(run, [])
    assert (run.path / "exit.json").exists()
