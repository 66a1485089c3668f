"""Keys one after the other: each goes to where those before it have led, however busy the machine is.

Textual sends a key to the widget that has the focus when the key comes. What a key does takes longer: it goes
through the queues of that widget, of all around it and of the app, what its action says goes the same way
once more, and a focus is set at the end of that. Keys that came together would all go to the first one's.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen

#: Ways through the queues until a key has had its effect: its own, and that of what its action says.
_ROUNDS = 2
#: Seconds after which the next key is not held back any more, should a queue have gone with its widget.
_PATIENCE = 2.0
#: What leaves a screen that is not there yet; what was typed into it goes with it.
_LEAVING = frozenset({"escape", "ctrl+q"})


class Built(Screen[None]):
    """A screen that is built piece by piece: keys for it wait until it says that it is `built`."""

    _built_at = math.inf

    @property
    def building(self) -> bool:
        return self._built_at == math.inf

    def built(self) -> None:
        """All is there that keys go to, or never will be: those that wait come now."""
        if self.building:
            self._built_at = events.Event().time
            app = self.app
            if isinstance(app, InOrder):
                app.call_later(app.type_on)

    @property
    def blind(self) -> bool:
        """Whether the key that acts now was typed before the screen was there to be seen."""
        return isinstance(self.app, InOrder) and self.app.typed_at < self._built_at


class InOrder(App[None]):
    """An app that takes the next key when the one before has had its effect."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key] = deque()  #: keys that wait
        self._key: events.Key | None = None  #: whose effect is waited for
        self._count = 0

    @property
    def typed_at(self) -> float:
        """When the key was typed that acts now; infinite where none does."""
        return math.inf if self._key is None else self._key.time

    @property
    def _building(self) -> bool:
        front = self.screen_stack[-1:]
        return bool(front) and isinstance(front[0], Built) and front[0].building

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._typed.append(event)
            await self.type_on()
        else:
            await super().on_event(event)

    async def type_on(self) -> None:
        """The next key that waits, if it need not wait any longer."""
        if self._key is not None or (key := self._next()) is None:
            return
        self._key = key
        self._count += 1
        count, start = self._count, self.focused or self.screen
        asyncio.get_running_loop().call_later(_PATIENCE, self.call_later, self._had_effect, count)
        await super().on_event(key)
        self._go_behind(start, _ROUNDS, count)

    def _next(self) -> events.Key | None:
        """Whose turn it is; on a screen that is not there yet that of a key that leaves it."""
        if self._building:
            leaving = (
                place
                for place, key in enumerate(self._typed)
                if key.key in _LEAVING or (key.key == "q" and not place)
            )
            place = next(leaving, None)
            if place is None:
                return None
            for _ in range(place):
                self._typed.popleft()
        return self._typed.popleft() if self._typed and self.screen_stack else None  # none: it is left

    def _go_behind(self, start: DOMNode, rounds: int, count: int) -> None:
        """Goes the way of a key that `start` gets, behind all that is in the queues, so many times."""
        way = iter(start.ancestors_with_self)

        async def go_on() -> None:
            for node in way:
                if node.call_later(go_on):
                    return
            if rounds > 1 and self.screen_stack:
                self._go_behind(self.focused or self.screen, rounds - 1, count)
            else:
                await self._had_effect(count)

        self.call_later(go_on)

    async def _had_effect(self, count: int) -> None:
        if count == self._count and self._key is not None:
            self._key = None
            await self.type_on()
