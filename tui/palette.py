"""The command palette: every key's action by its help, and "go to run …"."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import Matcher

from runs.rows import RunQuery, RunRow
from runs.text import printable
from tui.keys import EVERYWHERE, TABLE, Key

if TYPE_CHECKING:
    from tui.app import DdpmApp
    from tui.screens.base import Place


class Commands(Provider):
    """Actions that make sense on the screen below, then runs by name."""

    def _actions(self) -> Iterator[tuple[Key, Callable[[], None]]]:
        place = cast("Place", self.screen)
        for group in (getattr(place, "place", None), EVERYWHERE):
            for key in TABLE.get(group or "", ()):
                if key.palette and place.offers(key):
                    yield key, self._runner(key.action)

    def _runner(self, action: str) -> Callable[[], None]:
        screen = self.screen

        async def act() -> None:
            await screen.run_action(
                action if hasattr(screen, f"action_{action.partition('(')[0]}") else f"app.{action}"
            )

        def later() -> None:
            screen.call_later(act)

        return later

    async def discover(self) -> Hits:
        for key, act in self._actions():
            yield DiscoveryHit(_line(key), act, text=key.title)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for key, act in self._actions():
            score = matcher.match(key.title)
            if score > 0:
                yield Hit(score, _highlighted(matcher, key.title, f"  {key.face}"), act, text=key.title)
        for run in await self._runs(query):
            text = f"go to run #{run.id} {printable(run.name)}"
            score = matcher.match(text)
            # Found by tag or note, or only by some letters: still offered, after the better ones.
            yield Hit(
                max(score, 0.05), _highlighted(matcher, text, f"  {run.state}"), self._opener(run), text=text
            )

    async def _runs(self, query: str) -> list[RunRow]:
        words = query.lower().removeprefix("go to run").strip()
        app = cast("DdpmApp", self.app)
        wanted = RunQuery(text=words, limit=12)
        return await asyncio.to_thread(lambda: app.store.page(wanted).rows)

    def _opener(self, run: RunRow) -> Callable[[], None]:
        return lambda: cast("DdpmApp", self.app).open_run(run)


def _line(key: Key) -> Content:
    return Content.assemble(Content(key.title), (f"  {key.face}", "dim"))


def _highlighted(matcher: Matcher, text: str, after: str) -> Content:
    """The text, never read as markup, with the letters that match in another style."""
    content = Content(text)
    score, offsets = matcher.fuzzy_search.match(matcher.query, text)
    if score:
        for offset in offsets:
            if offset < len(text) and not text[offset].isspace():
                content = content.stylize(matcher._match_style, offset, offset + 1)
    return Content.assemble(content, (after, "dim"))
