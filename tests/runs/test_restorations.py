"""What a restoring run is made from, and what is known of it afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ddpm.configfiles import ConfigError
from runs.errors import RunError
from runs.restorations import check_inputs, check_out_folder, check_restoration, lines
from tests.runs.processes import tiny


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8)).save(path)
    return path


def test_inputs_are_recorded_with_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "in" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert check_inputs(["in", "in/a.png", "digits:train", "mnist:test"]) == [
        str(tmp_path / "in"),
        str(tmp_path / "in" / "a.png"),
        "digits:train",
        "mnist:test",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere.png", "nowhere.png does not exist"),
        ("digits:test", "digits has no such split; there is digits:train"),
        ("mnist:tset", "mnist has no such split; there is mnist:train and mnist:test"),
        ("mnits:test", "mnits:test does not exist (data sets: mnist, fashion-mnist, cifar10, digits"),
    ],
)
def test_an_input_that_is_none_is_told(text: str, message: str) -> None:
    with pytest.raises(RunError) as error:
        check_inputs([text])
    assert message in str(error.value)


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RunError, match="has no image in it"):
        check_inputs([str(tmp_path)])


def test_nothing_to_restore_is_told() -> None:
    with pytest.raises(RunError, match="nothing to restore"):
        check_inputs([])


def test_results_go_to_a_folder_of_their_own(tmp_path: Path) -> None:
    inputs = [str(picture(tmp_path / "in" / "a.png").parent)]
    assert check_out_folder(tmp_path / "out", inputs) == tmp_path / "out"
    with pytest.raises(RunError, match="lies in the input folder"):
        check_out_folder(tmp_path / "in" / "out", inputs)
    with pytest.raises(RunError, match="lies in the input folder"):
        check_out_folder(tmp_path / "in", inputs)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(RunError, match="lies in the input folder"):
        check_out_folder(tmp_path / "link" / "deeper", inputs)
    with pytest.raises(RunError, match="is not empty"):
        check_out_folder(tmp_path, inputs)
    with pytest.raises(RunError, match="is a file, not a folder"):
        check_out_folder(tmp_path / "in" / "a.png", [])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["task=colorize"], "restoration.task: colorize needs a model of colour images"),
        (["task=compressed-sensing"], "restoration.degrade: compressed sensing begins with clean images"),
        (["task=inpaint", "mask=/nowhere.png"], "restoration.mask: /nowhere.png does not exist"),
        (["task=inpaint", "mask=/"], "restoration.mask: / is a folder, not a file"),
        (["sigma=1.5"], "restoration.sigma: '1.5' is not a number, at least 0"),
        (["method=repaint"], "restoration.method: repaint is for inpaint without noise"),
        (["task=deblur", "kernel=uniform", "width=4"], "restoration.width: a uniform blur has an odd number"),
        (["scale=3"], "restoration.scale: '3' is not one of 2, 4"),
        (["steps=2000"], "restoration.steps: 2000 is above diffusion.timesteps"),
    ],
)
def test_settings_that_fit_no_model_are_told_at_their_field(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_restoration(tiny(*(f"restoration.{setting}" for setting in settings)))
    assert message in str(error.value)


def test_a_denoiser_only_denoises() -> None:
    with pytest.raises(ConfigError, match=r"learned to denoise \(supervised\); deblur needs"):
        check_restoration(tiny("training.objective=supervised", "restoration.task=deblur"))


def test_lines_of_others_are_no_lines(tmp_path: Path) -> None:
    assert list(lines(tmp_path)) == []
    (tmp_path / "restored.jsonl").write_text('{"image": 0}\nnonsense\n[1]\n')
    assert list(lines(tmp_path)) == [{"image": 0}]
