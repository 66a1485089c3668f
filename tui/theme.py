"""The app's two themes, dark and light.

Every colour is an exact entry of the xterm 256-colour table (cube levels 00 5f 87 af d7 ff, greys 08 + 10 n),
so that terminals and multiplexers without true colour show the same picture and no state turns grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.theme import Theme

DARK = Theme(
    name="dark",
    dark=True,
    primary="#87afd7",
    secondary="#afafd7",
    accent="#d7af87",
    success="#87af87",
    warning="#d7af5f",
    error="#d75f5f",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    variables={
        "dim": "#8a8a8a",
        "faint": "#585858",
        "line": "#303030",
        "strong": "#eeeeee",
        "state-running": "#5fafff",
        "state-finished": "#87af87",
        "state-stopped": "#d7af5f",
        "state-failed": "#ff5f5f",
        "state-lost": "#af87d7",
        "border": "#87afd7",
        "border-blurred": "#303030",
        "block-cursor-foreground": "#eeeeee",
        "block-cursor-background": "#444444",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-foreground": "#d0d0d0",
        "block-cursor-blurred-background": "#303030",
        "block-cursor-blurred-text-style": "none",
        "block-hover-background": "#262626",
        "input-selection-background": "#5f5f87",
        "scrollbar": "#3a3a3a",
        "scrollbar-hover": "#585858",
        "scrollbar-active": "#87afd7",
        "scrollbar-background": "#121212",
        "scrollbar-background-hover": "#121212",
        "scrollbar-background-active": "#121212",
        "scrollbar-corner-color": "#121212",
    },
)

LIGHT = Theme(
    name="light",
    dark=False,
    primary="#005f87",
    secondary="#5f5f87",
    accent="#875f00",
    success="#005f00",
    warning="#875f00",
    error="#af0000",
    foreground="#262626",
    background="#eeeeee",
    surface="#ffffff",
    panel="#dadada",
    variables={
        "dim": "#626262",
        "faint": "#9e9e9e",
        "line": "#c6c6c6",
        "strong": "#080808",
        "state-running": "#005faf",
        "state-finished": "#005f00",
        "state-stopped": "#875f00",
        "state-failed": "#af0000",
        "state-lost": "#5f00af",
        "border": "#005f87",
        "border-blurred": "#c6c6c6",
        "block-cursor-foreground": "#080808",
        "block-cursor-background": "#afd7ff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-foreground": "#262626",
        "block-cursor-blurred-background": "#d0d0d0",
        "block-cursor-blurred-text-style": "none",
        "block-hover-background": "#e4e4e4",
        "input-selection-background": "#afd7ff",
        "scrollbar": "#bcbcbc",
        "scrollbar-hover": "#8a8a8a",
        "scrollbar-active": "#005f87",
        "scrollbar-background": "#eeeeee",
        "scrollbar-background-hover": "#eeeeee",
        "scrollbar-background-active": "#eeeeee",
        "scrollbar-corner-color": "#eeeeee",
    },
)

THEMES = {theme.name: theme for theme in (DARK, LIGHT)}

#: Colours that tell runs apart when they share a chart, in both themes.
SERIES = {
    "dark": ("#87afd7", "#d7af87", "#87af87", "#d787af", "#afafff", "#d7d75f", "#5fafaf", "#bcbcbc"),
    "light": ("#005faf", "#af5f00", "#005f00", "#af005f", "#5f00af", "#5f5f00", "#005f5f", "#444444"),
}


@dataclass(frozen=True, slots=True)
class Ink:
    """The theme's colours as text cells need them."""

    text: str
    strong: str
    dim: str
    faint: str
    trough: str  #: behind progress bars
    primary: str
    accent: str
    warning: str
    error: str
    states: dict[str, str]

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Ink:
        """Of `App.theme_variables`."""
        prefix = "state-"
        return cls(
            text=variables["foreground"],
            strong=variables["strong"],
            dim=variables["dim"],
            faint=variables["faint"],
            trough=variables["line"],
            primary=variables["primary"],
            accent=variables["accent"],
            warning=variables["warning"],
            error=variables["error"],
            states={k.removeprefix(prefix): v for k, v in variables.items() if k.startswith(prefix)},
        )

    def state(self, status: str) -> str:
        """The colour of a run's status."""
        return self.states.get(status, self.dim)
