"""Evaluate a checkpoint: how many images, how drawn, compared with what; the time it takes is told before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.content import Content
from textual.timer import Timer

from ddpm.config import Config
from runs import humanize
from runs.text import printable
from tui import commands, keys, protocols
from tui.screens.fromcheckpoint import CheckpointScreen
from tui.screens.sample import drawing

if TYPE_CHECKING:
    from runs.directory import RunDirectory
    from runs.estimating import Estimate

#: Seconds after a change before it is measured how long the evaluation will take.
SETTLE = 0.5


@dataclass(frozen=True, slots=True)
class Untold:
    """Why a time is not known; `fails`: for a reason that the evaluation itself would fail by."""

    reason: str
    fails: bool


class EvaluateScreen(CheckpointScreen):
    """The settings of [sampling] and [evaluation] that a person asks for."""

    place = "evaluate"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("evaluate")]
    FIELDS = (
        "evaluation.samples",
        "sampling.sampler",
        "sampling.steps",
        "sampling.eta",
        "sampling.spacing",
        "sampling.guidance",
        "sampling.guidance_step",
        "sampling.guidance_class",
        "sampling.guidance_from",
        "sampling.guidance_to",
        "sampling.labels",
        "sampling.average",
        "sampling.seed",
        "evaluation.reference",
        "evaluation.convention",
        "evaluation.companions",
        "evaluation.weights",
        "evaluation.classifier",
    )
    TITLE, PURPOSE = "Evaluate", "to evaluate"
    LAUNCH = Content("Evaluate  ^l")

    _settle: Timer | None = None
    _measuring = False
    _wanted: tuple[int, Config] | None = None  #: (step, settings) that the time is told of
    _measured: tuple[int, Config] | None = None
    _answer: Estimate | Untold | None = None  #: of `_measured`

    def _command(self) -> tuple[str, ...] | None:
        config, checkpoint = self._config, self._chosen
        if config is None or checkpoint is None or self._trained is None:
            return None
        return commands.evaluate(
            str(self._run.id), checkpoint.step, config, self._trained, home=self.cockpit.home_option
        )

    def _maker(self, command: tuple[str, ...]) -> Callable[[], RunDirectory]:
        config, checkpoint = self._config, self._chosen
        assert config is not None
        assert checkpoint is not None
        home, path = self.cockpit.home, Path(self._run.path)

        def make() -> RunDirectory:
            from runs.directory import RunDirectory
            from runs.launch import new_evaluation

            return new_evaluation(
                home,
                RunDirectory(path),
                checkpoint.step,
                config.evaluation,
                config.sampling,
                command=command,
            )

        return make

    # -- what will happen, and how long that takes ---------------------------------------------------

    def _show(self) -> None:
        config, checkpoint = self._config, self._chosen
        self._wanted = (checkpoint.step, config) if config is not None and checkpoint is not None else None
        super()._show()
        if self._settle is not None:
            self._settle.stop()
        self._settle = self.set_timer(SETTLE, self._measure)

    def _measure(self) -> None:
        """Measures in the background, one at a time; what changed meanwhile is measured after it."""
        wanted = self._wanted
        if wanted is None or wanted == self._measured or self._measuring:
            return
        self._measuring = True
        home, path, (step, config) = self.cockpit.home, Path(self._run.path), wanted

        def measure() -> Estimate | Untold:
            from runs import estimating
            from runs.directory import RunDirectory

            run = RunDirectory(path)
            try:
                return estimating.estimate(home, run, step, config.evaluation, config.sampling)
            except estimating.UnknownTimeError as reason:
                return Untold(str(reason), fails=False)

        def measured(answer: Estimate | Untold) -> None:
            self._measuring, self._measured, self._answer = False, wanted, answer
            self._show_what()
            self._measure()

        def failed(line: str) -> None:
            measured(Untold(line, fails=True))

        self.background("estimate", measure, measured, failed=failed, slow=True)

    def _what(self, config: Config) -> Text:
        ink, settings = self.cockpit.ink, config.evaluation
        text = Text(drawing(settings.samples, config), style=ink.dim)
        text.append(f" Compared with {protocols.dataset(config.data.dataset)} {settings.reference}.\n")
        return text.append_text(self._time())

    def _time(self) -> Text:
        """How long it will take, and what of it."""
        ink, found = self.cockpit.ink, self._answer
        if self._wanted is None:
            return Text()
        if found is None or self._measured != self._wanted:
            return Text("Measuring how long it will take …", style=ink.dim)
        if isinstance(found, Untold):
            before = "! " if found.fails else "How long it takes cannot be told yet: "
            return Text(before + printable(found.reason), style=ink.warning if found.fails else ink.dim)
        text = Text(f"About {roughly(found.seconds)}", style=f"bold {ink.strong}")
        parts = [(found.sampling_seconds, "to draw"), (found.feature_seconds, "for their features")]
        if found.reference_seconds:
            parts.append((found.reference_seconds, "for those of the data set, only once"))
        told = ", ".join(f"{roughly(seconds)} {what}" for seconds, what in parts)
        return text.append(f" on {printable(found.device)}: {told}.", style=f"not bold {ink.dim}")


def roughly(seconds: float) -> str:
    """A time as exact as it can be told beforehand: "40 s", "12 min", "2 h 05 m"."""
    return f"{round(seconds / 60)} min" if 90 <= seconds < 3570 else humanize.duration(seconds)
