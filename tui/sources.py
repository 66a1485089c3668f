"""What a new run can start from: a preset, or the configuration of another run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddpm import configfiles
from ddpm.config import Config
from runs.rows import RunRow

#: Presets in the order of their size; others come after.
ORDER = ("digits", "mnist", "fashion-mnist", "cifar10")


@dataclass(frozen=True, slots=True)
class Source:
    """`config` is what the form begins with, `base` what `word` of the command says."""

    title: str
    summary: str
    word: str  #: of the command: a preset's name, or a file's path
    preset: str | None
    base: Config
    config: Config
    device: str = "auto"
    tags: tuple[str, ...] = ()


def presets() -> list[Source]:
    """All presets, the small ones first."""
    names = sorted(
        configfiles.preset_names(), key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n)
    )
    return [_preset(name) for name in names]


def _preset(name: str) -> Source:
    config, _ = configfiles.resolve(name)
    return Source(name, configfiles.preset_summary(name), name, name, config, config)


def clone(run: RunRow) -> Source:
    """The configuration of a run, told as changes of its preset where that is known."""
    from runs.directory import RunDirectory

    directory = RunDirectory(Path(run.path))
    config = directory.config()
    summary = f"The configuration of #{run.id}, to change and start anew."
    device, tags = str(directory.info.get("device") or "auto"), run.tags
    title = f"#{run.id} {run.name}"
    if run.preset in configfiles.preset_names():
        base, _ = configfiles.resolve(str(run.preset))
        return Source(title, summary, str(run.preset), run.preset, base, config, device, tags)
    file = str(directory.path / "config.toml")
    return Source(title, summary, file, None, config, config, device, tags)
