"""One line that says how busy the machine is."""

from __future__ import annotations

from rich.text import Text
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.worker import Worker

from tui.widgets.load import GpuLoad, Load, Sampler
from tui.widgets.progress import bar


class Meters(Widget):
    """CPU, memory and GPUs, looked at in a thread every 1.5 s while it is on the screen that is shown.

    The line takes what fits: bars and temperatures go first, then GPU memory, then GPUs are counted.
    `load` may also be set directly.
    """

    DEFAULT_CSS = """
    Meters { height: 1; width: 1fr; color: $foreground 70%; }
    """
    SECONDS = 1.5

    load: reactive[Load | None] = reactive(None)

    class Sampled(Message, bubble=False):
        """A look at the machine, from the thread."""

        def __init__(self, load: Load) -> None:
            super().__init__()
            self.load = load

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Meters.Sampled)

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - as Textual names it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._sampler = Sampler()
        self._worker: Worker[None] | None = None

    def on_mount(self) -> None:
        self._sample()
        self.set_interval(self.SECONDS, self._sample)

    def _sample(self) -> None:
        """Look in a thread, unless the look before is not over."""
        if self.screen.is_current and (self._worker is None or self._worker.is_finished):
            self._worker = self.run_worker(self._look, thread=True, group="meters", exit_on_error=False)

    def _look(self) -> None:
        self.post_message(self.Sampled(self._sampler.sample()))

    def on_meters_sampled(self, message: Sampled) -> None:
        self.load = message.load

    def render(self) -> Text:
        if self.load is None:
            return Text("")
        return Text(line(self.load, self.size.width), no_wrap=True)


def line(load: Load, width: int) -> str:
    """The most telling text about `load` that fits in `width` cells."""
    for bars, details, memory in ((True, True, True), (False, True, True), (False, False, True)):
        text = _text(load, load.gpus, bars=bars, details=details, memory=memory)
        if len(text) <= width:
            return text
    for count in range(len(load.gpus), -1, -1):
        rest = len(load.gpus) - count
        text = _text(load, load.gpus[:count], bars=False, details=False, memory=False)
        text += f"  +{rest} GPU" if rest else ""
        if len(text) <= width:
            return text
    return text[: max(width, 0)]


def _text(load: Load, gpus: tuple[GpuLoad, ...], *, bars: bool, details: bool, memory: bool) -> str:
    parts = [
        f"CPU {_gauge(load.cpu_percent, bars)}",
        f"MEM {_memory(load.memory_used, load.memory_total, bars)}",
    ]
    for gpu in gpus:
        part = f"GPU{gpu.index} {_gauge(gpu.percent, bars)}"
        if memory and gpu.memory_used is not None and gpu.memory_total is not None:
            part += " " + _memory(gpu.memory_used, gpu.memory_total, False)
        if details and gpu.temperature is not None:
            part += f" {gpu.temperature}°C"
        parts.append(part)
    return "  ".join(parts)


def _gauge(percent: float | None, bars: bool) -> str:
    if percent is None:
        return "–".rjust(13 if bars else 4)
    text = f"{percent:3.0f}%"
    return f"▕{bar(percent / 100, 6)}▏{text}" if bars else text


def _memory(used: int, total: int, bars: bool) -> str:
    text = f"{_gigabytes(used)}/{_gigabytes(total)} GB"
    return f"▕{bar(used / total, 6)}▏ {text}" if bars and total else text


def _gigabytes(size: int) -> str:
    number = size / 1e9
    return f"{number:.1f}" if number < 10 else f"{number:.0f}"
