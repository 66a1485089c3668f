"""Progress must be readable without colour."""

from dataclasses import replace

from runs.rows import RunRow
from tui.columns import progress_text, rail
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


def test_an_evaluation_that_draws_nothing_yet_tells_how_far_the_reference_is() -> None:
    values = dict.fromkeys(RunRow.__dataclass_fields__)
    row = RunRow(**{**values, "kind": "evaluate", "status": "running", "step": 0, "total_steps": 64})
    assert progress_text(row, 15, ink()).plain == "┈┈┈┈┈┈┈┈      0"
    for share, text in ((0.0, "┈┈┈┈┈┈ ref   0%"), (0.5, "━━━┈┈┈ ref  50%"), (1.0, "━━━━━━ ref 100%")):
        assert progress_text(replace(row, preparing=share), 15, ink()).plain == text
