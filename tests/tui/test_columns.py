"""Progress must be readable without colour."""

from tui.columns import rail
from tui.theme import DARK, Ink


def ink() -> Ink:
    from textual.app import App

    app: App[None] = App()
    app.register_theme(DARK)
    app.theme = DARK.name
    return Ink.of({**app.theme_variables, **DARK.variables})


def test_what_is_done_and_what_is_left_differ_without_colour() -> None:
    assert rail(0.0, 8, "blue", ink()).plain == "┈" * 8
    assert rail(1.0, 8, "blue", ink()).plain == "━" * 8
    assert rail(0.5, 8, "blue", ink()).plain == "━━━━┈┈┈┈"
    assert rail(None, 4, "blue", ink()).plain == "┈┈┈┈"
    assert rail(0.3125, 8, "blue", ink()).plain == "━━╸┈┈┈┈┈"
