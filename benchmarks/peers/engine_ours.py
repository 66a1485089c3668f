"""Our engine as a run trains with it (`ddpm.training.Training`) and draws (`ddpm.sampling.draw`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ddpm.bench import Drawing, Steps, training_flops
from ddpm.configfiles import build


class Engine:
    """Metrics are fetched on every step, as the peers fetch their loss."""

    def __init__(self, specification: dict[str, Any], options: list[str]) -> None:
        folder = Path(specification["folder"])
        self._config = build(specification["config"])
        self._count = specification["draw"]
        self._steps = Steps(self._config, "cpu", folder, log_every=1)
        self._drawing: Drawing | None = None

    def step(self) -> int:
        return self._steps.window()

    def draw(self) -> int:
        if self._drawing is None:
            self._drawing = Drawing(self._config, "cpu", self._count)
        return self._drawing.once()[0]

    def facts(self) -> dict[str, Any]:
        import torch

        from ddpm.sizes import parameters

        return {
            "versions": {"torch": torch.__version__},
            "parameters": parameters(self._config),
            "gflop_per_image": training_flops(self._config) / 1e9,
            "threads": torch.get_num_threads(),
        }

    def export(self, path: Path) -> None:
        """Writes weights (none of them zero), an input and what the network says of it."""
        import torch
        from safetensors.torch import save_file

        from ddpm import unet

        torch.manual_seed(0)
        network = unet.make(self._config).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
            x = torch.randn(4, *self._config.data.shape)
            t = torch.tensor([0, 100, 500, 999])
            out = network(x, t)
        state = {f"network.{name}": tensor.contiguous() for name, tensor in network.state_dict().items()}
        save_file({**state, "x": x, "t": t, "out": out.contiguous()}, path)
