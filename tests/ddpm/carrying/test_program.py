"""The network as a program that torch runs alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ddpm.carrying import program
from ddpm.carrying.reading import CarryError
from tests.ddpm.carrying.folders import exported, tiny

pytestmark = pytest.mark.slow

TORCH = """
import sys, torch, safetensors.torch
run = torch.export.load(sys.argv[1]).module()
inputs = safetensors.torch.load_file(sys.argv[2])
out = {n: run(x, torch.arange(len(x)), torch.arange(len(x)) + 6).detach() for n, x in inputs.items()}
safetensors.torch.save_file(out, sys.argv[3])
assert not any(name.split(".")[0] == "ddpm" for name in sys.modules)
"""
ONNX = """
import sys, numpy, onnxruntime, safetensors.numpy
session = onnxruntime.InferenceSession(sys.argv[1])
inputs = safetensors.numpy.load_file(sys.argv[2])
told = lambda n: {"timesteps": numpy.arange(n), "labels": numpy.arange(n) + 6}
out = {n: session.run(None, {"x": x, **told(len(x))})[0] for n, x in inputs.items()}
safetensors.numpy.save_file(out, sys.argv[3])
assert not {"ddpm", "torch"} & {name.split(".")[0] for name in sys.modules}
"""


@pytest.mark.parametrize(
    ("to", "name", "alone"), [("torch", "network.pt2", TORCH), ("onnx", "network.onnx", ONNX)]
)
def test_it_runs_without_this_package_at_any_batch_and_of_any_class(
    to: str, name: str, alone: str, tmp_path: Path
) -> None:
    network, out = exported(tiny("model.head_channels=8", "model.classes=10"), tmp_path, to)
    assert sorted(path.name for path in out.iterdir()) == sorted((name, program.FACTS))
    facts = json.loads((out / program.FACTS).read_text())
    assert facts["input"] == ["batch", 1, 8, 8]
    assert (facts["inputs"], facts["untold"]) == (["x", "timesteps", "labels"], 10)
    assert (facts["prediction"], len(facts["betas"]), facts["classes"]) == ("epsilon", 1000, 10)
    given, result = tmp_path / "given", tmp_path / "result"
    inputs = {str(n): torch.randn(n, 1, 8, 8) for n in (1, 5)}
    safetensors.torch.save_file(inputs, given)
    command = [sys.executable, "-c", alone, out / name, given, result]
    subprocess.run(command, check=True, cwd=tmp_path)
    for n, found in safetensors.torch.load_file(result).items():
        count = torch.arange(int(n))
        with torch.no_grad():
            wanted = network(inputs[n], count, count + 6)
            untold = network(inputs[n], count)
        assert (found - wanted).abs().max() < 1e-5
        assert (found[4:] - untold[4:]).abs().sum() < 1e-4  # label 10: none is told


def test_of_a_network_without_classes_none_is_asked(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    _, out = exported(tiny(), tmp_path, "onnx")
    session = onnxruntime.InferenceSession(out / program.ONNX)
    assert [one.name for one in session.get_inputs()] == ["x", "timesteps"]
    assert json.loads((out / program.FACTS).read_text())["classes"] == 0


def test_what_is_missing_for_onnx_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "find_spec", lambda name: None)
    with pytest.raises(CarryError, match=r"onnxscript is missing: pip install 'ddpm-tui\[onnx\]'"):
        exported(tiny(), tmp_path, "onnx")
    assert not (tmp_path / "out").exists()
