"""An image in half cells: every cell shows two pixels, one above the other."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.segment import Segment
from rich.style import Style
from textual.app import RenderResult
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from runs.text import printable, shorten, width
from tui.widgets.halfcell import Drawn, draw, identity

if TYPE_CHECKING:
    from PIL.Image import Image

#: Images kept drawn by each Picture, so that scrubbing back and forth reads no file again.
_CACHE = 32


def image_mode() -> Literal["half-cell"]:
    """How this app draws images. Half cells work wherever colours do: in tmux, over SSH, after a reattach."""
    return "half-cell"


class Picture(Widget):
    """Shows one image, centred, as large as fits here and into `max_columns`, with a caption below.

    `show` takes a path or a PIL image; reading and resizing happen in a thread. A small image grows by a
    whole factor only. `check` looks (in a thread too) whether the file has changed. Without an image, `alt`
    stands there in one muted line; a file that is missing or broken is named so.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"picture--caption", "picture--alt"}
    DEFAULT_CSS = """
    Picture {
        width: 1fr;
        height: 1fr;
        min-height: 1;
        & > .picture--caption { color: $foreground 70%; }
        & > .picture--alt { color: $foreground 50%; }
    }
    """

    #: Widest drawing in cells (half as many rows): what an image costs on the wire grows with its square.
    max_columns: reactive[int] = reactive(40)
    #: 1 the whole image; 2, 4 … its upper left part that many times as large (grids of many images).
    zoom: reactive[float] = reactive(1.0)
    caption: reactive[str] = reactive("")
    alt: reactive[str] = reactive("no image yet")
    #: Of a grid whose rows have names: those, in turn; they stand at its left.
    row_labels: reactive[tuple[str, ...]] = reactive(())

    class Loaded(Message):
        """An image was read and drawn; `problem` says why not."""

        def __init__(self, picture: Picture, problem: str | None) -> None:
            super().__init__()
            self.picture = picture
            self.problem = problem

        @property
        def control(self) -> Picture:
            return self.picture

    class _Ready(Message, bubble=False):
        def __init__(self, ticket: int, key: object, drawn: Drawn) -> None:
            super().__init__()
            self.ticket, self.key, self.drawn = ticket, key, drawn

    def __init__(
        self,
        source: Path | Image | None = None,
        caption: str = "",
        *,
        alt: str = "no image yet",
        max_columns: int = 40,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - as Textual names it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._source = source
        self.set_reactive(Picture.caption, caption)
        self.set_reactive(Picture.alt, alt)
        self.set_reactive(Picture.max_columns, max_columns)
        self._drawn: Drawn | None = None
        self._key: object = None
        self._shown = 0  #: counts what was shown: an object's own identity can be that of one that is gone
        self._ticket = 0  #: of the latest request; answers to older ones are late
        self._cache: OrderedDict[object, Drawn] = OrderedDict()

    # -- data ---------------------------------------------------------------------------------------

    def show(self, source: Path | Image | None, caption: str = "") -> None:
        """Show this image (None: `alt`). The one before stays until this one is drawn."""
        self.caption = caption
        self._source = source
        self._shown += 1
        if source is None:
            self._ticket += 1
            self._drawn = self._key = None
            self._changed()
        else:
            self.check()

    def check(self) -> None:
        """Draw again if the file has changed since, or the room for it."""
        columns, rows = self.room
        if self._source is None or columns < 1 or rows < 1 or not self.is_mounted:
            return
        self._ticket += 1
        ticket, source, shown, zoom = self._ticket, self._source, self._shown, self.zoom
        self.run_worker(
            lambda: self._load(ticket, source, shown, (columns, rows, zoom)),
            thread=True,
            exclusive=True,
            group="picture",
            exit_on_error=False,
        )

    @property
    def source(self) -> Path | Image | None:
        """What is shown, or being read."""
        return self._source

    @property
    def drawn(self) -> Drawn | None:
        """What is on screen; None before the first image."""
        return self._drawn

    @property
    def room(self) -> tuple[int, int]:
        """(columns, rows) that the drawing may take, the caption left out."""
        columns = min(self.size.width - self._gutter, self.max_columns)
        rows = self.size.height - (1 if self.caption else 0)
        if self.styles.is_auto_height:
            rows = self.max_columns // 2
        return columns, min(rows, self.max_columns // 2)

    # -- in a thread --------------------------------------------------------------------------------

    def _load(self, ticket: int, source: Path | Image, shown: int, size: tuple[int, int, float]) -> None:
        key = (identity(source) if isinstance(source, Path) else shown, size)
        if key == self._key:
            return
        drawn = self._cache.get(key)
        if drawn is None:
            drawn = draw(source, *size)
        self.post_message(self._Ready(ticket, key, drawn))

    def on_picture__ready(self, message: _Ready) -> None:
        self._cache[message.key] = message.drawn
        self._cache.move_to_end(message.key)
        while len(self._cache) > _CACHE:
            self._cache.popitem(last=False)
        if message.ticket == self._ticket:
            self._key, self._drawn = message.key, message.drawn
            self._changed()
            self.post_message(self.Loaded(self, message.drawn.problem))

    # -- drawing ------------------------------------------------------------------------------------

    def render(self) -> RenderResult:
        return ""

    def render_line(self, y: int) -> Strip:
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        return self._line(y).apply_style(ground)

    def _line(self, y: int) -> Strip:
        room = self.size.width
        drawn = self._drawn
        if drawn is None or drawn.problem:
            text = self.alt if drawn is None or self._source is None else drawn.problem or ""
            return self._text(text, "picture--alt") if y == (self.size.height - 1) // 2 else Strip.blank(room)
        y -= max(0, (self.size.height - self._height(drawn)) // 2)
        if 0 <= y < len(drawn.rows):
            left = max(self._gutter, (room - drawn.columns) // 2)
            segments = [self._label(drawn, y, left), *drawn.rows[y]]
            return Strip(segments, left + drawn.columns).adjust_cell_length(room)
        if y == len(drawn.rows) and self.caption:
            return self._text(self.caption, "picture--caption")
        return Strip.blank(room)

    @property
    def _gutter(self) -> int:
        """Cells that the labels take."""
        return max((width(printable(label)) for label in self.row_labels), default=-1) + 1

    def _label(self, drawn: Drawn, y: int, left: int) -> Segment:
        """What stands left of a line: the label of the row of images whose middle it is, if of any."""
        count = len(self.row_labels)
        for place in range(count):
            middle = (place + 0.5) / count / drawn.share * len(drawn.rows)
            if int(middle) == y:
                label = printable(self.row_labels[place])
                colour = self.background_colors[1] + self.get_component_styles("picture--caption").color
                return Segment(" " * (left - width(label) - 1) + label + " ", Style(color=colour.rich_color))
        return Segment(" " * left)

    def _text(self, text: str, component: str) -> Strip:
        room = self.size.width
        shown = shorten(printable(text), room)
        left = (room - width(shown)) // 2
        colour = self.background_colors[1] + self.get_component_styles(component).color
        strip = Strip([Segment(" " * left), Segment(shown, Style(color=colour.rich_color))])
        return strip.adjust_cell_length(room)

    def _height(self, drawn: Drawn) -> int:
        return len(drawn.rows) + (1 if self.caption else 0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._height(self._drawn) if self._drawn and not self._drawn.problem else 1

    def _changed(self) -> None:
        self.refresh(layout=self.styles.is_auto_height)

    # -- events -------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self.check()

    def watch_max_columns(self) -> None:
        self.check()

    def watch_zoom(self) -> None:
        self.check()

    def watch_caption(self, old: str, new: str) -> None:
        if bool(old) != bool(new):
            self.check()
        self._changed()

    def watch_row_labels(self) -> None:
        self.check()
        self.refresh()

    def watch_alt(self) -> None:
        self.refresh()
