"""The network as a program that torch runs alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ddpm.carrying import program
from tests.ddpm.carrying.folders import exported, tiny

pytestmark = pytest.mark.slow

ALONE = """
import sys, torch, safetensors.torch
run = torch.export.load(sys.argv[1]).module()
inputs = safetensors.torch.load_file(sys.argv[2])
out = {n: run(x, torch.arange(len(x))).detach() for n, x in inputs.items()}
safetensors.torch.save_file(out, sys.argv[3])
assert not any(name.split(".")[0] == "ddpm" for name in sys.modules)
"""


def test_it_runs_without_this_package_at_any_batch(tmp_path: Path) -> None:
    network, out = exported(tiny("model.head_channels=8", "model.classes=10"), tmp_path, "torch")
    facts = json.loads((out / program.FACTS).read_text())
    assert facts["input"] == ["batch", 1, 8, 8]
    assert (facts["prediction"], len(facts["betas"])) == ("epsilon", 1000)
    given, result = tmp_path / "given", tmp_path / "result"
    inputs = {str(n): torch.randn(n, 1, 8, 8) for n in (1, 5)}
    safetensors.torch.save_file(inputs, given)
    command = [sys.executable, "-c", ALONE, out / program.PROGRAM, given, result]
    subprocess.run(command, check=True, cwd=tmp_path)
    for n, found in safetensors.torch.load_file(result).items():
        with torch.no_grad():
            wanted = network(inputs[n], torch.arange(int(n)))
        assert (found - wanted).abs().max() < 1e-5
