"""Every key of the app in one table: bindings, footer, command palette and help are read from it.

A place is a screen, or "everywhere". What a key does is the action of that name on the place's screen
(or on the app): `action_<name>`.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

EVERYWHERE = "everywhere"
LISTS = "lists"
FORMS = "forms"


@dataclass(frozen=True, slots=True)
class Key:
    """One action: how it is called, shown and explained."""

    keys: str  #: as Textual names them, several with commas; the first is shown
    action: str
    label: str  #: one or two words, for the footer; "" keeps it out of the footer
    help: str  #: one sentence, for the palette and the help
    shown: str = ""  #: how the key looks, where its name is not pretty
    palette: bool = True
    priority: bool = False  #: works while a text is being edited too
    first: bool = False  #: has its room in the footer before the others

    @property
    def face(self) -> str:
        """The key as a person reads it: "ctrl+l" is "^l", "question_mark" is "?"."""
        return self.shown or face(self.keys.partition(",")[0])

    @property
    def title(self) -> str:
        """The help's first clause, for the palette."""
        return self.help.partition(";")[0]


_FACES = {
    "question_mark": "?",
    "slash": "/",
    "escape": "esc",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "plus": "+",
    "minus": "-",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
}


def face(key: str) -> str:
    """How one of Textual's key names looks in the footer."""
    return _FACES.get(key, key.replace("ctrl+", "^"))


_STOP = Key("x", "stop", "stop", "Stop the run; it finishes its step and writes a checkpoint first")
_RESUME = Key("r", "resume", "resume", "Resume the run; it goes on from its last checkpoint")
_SAMPLE = Key("p", "sample", "sample", "Draw images with a checkpoint of the run")
_EVALUATE = Key("E", "evaluate", "evaluate", "Evaluate a checkpoint of the run: FID and its companions")
_RESTORE = Key("R", "restore_images", "restore", "Restore images with a checkpoint of the run")
_LIKELIHOOD = Key("B", "likelihood", "likelihood", "Likelihood of the data's images; bits per dimension")
_LIVE = Key("t", "live", "try", "Try the network; a process kept warm draws at once, by any solver")
_LEADERBOARD = Key(
    "L", "leaderboard", "leaderboard", "Leaderboard; all evaluations, equal protocols together"
)
_CLONE = Key("C", "clone", "", "New run with this run's configuration; change what you like first")
_EDIT = Key("e", "edit", "", "Edit name, tags and notes")
_COPY = Key("y", "copy_path", "", "Copy the path of the run's folder")

#: Places that are screens.
SCREENS = (
    *("runs", "new", "run", "sampling", "evaluating", "restoring", "measuring"),
    *("sample", "evaluate", "restore", "likelihood", "live", "leaderboard", "compare"),
)

TITLES = {
    "runs": "Runs",
    "new": "New run",
    "run": "A training run",
    "sampling": "A sampling run",
    "evaluating": "An evaluating run",
    "restoring": "A restoring run",
    "measuring": "A likelihood run",
    "sample": "Sample",
    "evaluate": "Evaluate",
    "restore": "Restore",
    "likelihood": "Likelihood",
    "live": "Try",
    "leaderboard": "Leaderboard",
    "compare": "Compare",
    FORMS: "In a form",
    LISTS: "In a table",
    EVERYWHERE: "Everywhere",
}

TABLE: dict[str, tuple[Key, ...]] = {
    "runs": (
        Key("enter", "open", "open", "Open the run under the cursor", palette=False),
        Key("n", "new", "new", "New run; choose a preset, change what you like, launch"),
        Key(
            "slash",
            "filter",
            "filter",
            "Filter as you type; words of name, preset, status, tags, notes or #7",
        ),
        Key("space", "mark", "mark", "Mark the run for a comparison", palette=False),
        Key("c", "compare", "compare", "Compare the marked runs", first=True),
        _SAMPLE,
        _LIVE,
        _EVALUATE,
        _RESTORE,
        _LIKELIHOOD,
        _STOP,
        _RESUME,
        _LEADERBOARD,
        Key("s", "sort", "sort", "Sort by the next column; a click on a column's title does too"),
        Key("S", "reverse", "", "Reverse the order"),
        Key("v", "columns", "columns", "Choose which columns are shown"),
        _EDIT,
        _CLONE,
        Key("d", "delete", "delete", "Move the run to the trash; asks first and says how many bytes"),
        _COPY,
        Key("u", "unmark", "", "Unmark all runs"),
    ),
    "new": (
        Key("ctrl+l", "launch", "launch", "Launch the run", priority=True),
        Key("slash", "filter", "filter", "Filter the settings; words of their names and descriptions"),
        Key("ctrl+y", "copy_command", "copy command", "Copy the command that does the same", priority=True),
    ),
    "run": (
        Key("left_square_bracket", "previous_tab", "", "The tab to the left", palette=False),
        Key("right_square_bracket", "next_tab", "", "The tab to the right", palette=False),
        Key("1", "tab('charts')", "", "Charts and the latest samples"),
        Key("2", "tab('samples')", "", "Sample grids over time"),
        Key("3", "tab('scores')", "", "FID over time with its floor; all scores by checkpoint"),
        Key("4", "tab('checkpoints')", "", "Checkpoints"),
        Key("5", "tab('log')", "", "Log"),
        Key("6", "tab('config')", "", "Configuration; what differs from the preset is marked"),
        Key("7", "tab('about')", "", "Where the run comes from; host, versions, command"),
        _STOP,
        _RESUME,
        _SAMPLE,
        _LIVE,
        _EVALUATE,
        _RESTORE,
        _LIKELIHOOD,
        Key("C", "clone", "clone", _CLONE.help),
        Key("l", "log_scale", "log scale", "Charts linear or logarithmic"),
        Key("s", "smoothing", "smoothing", "Smooth the loss more; from none to strong and round again"),
        Key("left", "earlier", "", "Earlier sample grid", palette=False),
        Key("right", "later", "", "Later sample grid", palette=False),
        Key("z", "zoom", "zoom", "The whole grid, or the first images larger"),
        Key("slash", "search", "", "Search in the log; n and N go to the other matches", palette=False),
        Key("F", "follow", "", "Follow the end of the log, or stay", palette=False),
        Key("w", "wrap", "", "Wrap long lines of the log, or cut them", palette=False),
        Key("W", "from_weights", "", "New run that starts from a checkpoint's weights"),
        _LEADERBOARD,
        _EDIT,
        _COPY,
    ),
    "sampling": (
        Key("left_square_bracket", "previous_tab", "", "The tab to the left", palette=False),
        Key("right_square_bracket", "next_tab", "", "The tab to the right", palette=False),
        Key("1", "tab('denoising')", "", "The images while they are denoised"),
        Key("2", "tab('log')", "", "Log"),
        Key("3", "tab('config')", "", "Configuration"),
        Key("4", "tab('about')", "", "Where the run comes from; host, versions, command"),
        Key("left", "earlier", "earlier", "The step before", palette=False),
        Key("right", "later", "later", "The step after", palette=False),
        Key("z", "zoom", "zoom", "The whole grid, or the first images larger"),
        _STOP,
        Key("p", "sample", "again", "Draw images again; other settings if you like"),
        Key("o", "parent", "its run", "Open the run that the images come from"),
        Key("slash", "search", "", "Search in the log; n and N go to the other matches", palette=False),
        Key("F", "follow", "", "Follow the end of the log, or stay", palette=False),
        Key("w", "wrap", "", "Wrap long lines of the log, or cut them", palette=False),
        _EDIT,
        Key("y", "copy_path", "copy path", "Copy the path of the image"),
    ),
    "evaluating": (
        Key("left_square_bracket", "previous_tab", "", "The tab to the left", palette=False),
        Key("right_square_bracket", "next_tab", "", "The tab to the right", palette=False),
        Key("1", "tab('scores')", "", "How far it is, then the scores with their floor"),
        Key("2", "tab('samples')", "", "The first of the images that are evaluated"),
        Key("3", "tab('log')", "", "Log"),
        Key("4", "tab('config')", "", "Configuration"),
        Key("5", "tab('about')", "", "Where the run comes from; host, versions, command"),
        Key("x", "stop", "stop", "Stop the run; what it has computed is kept"),
        Key("r", "resume", "resume", "Resume the run; it goes on where it was stopped"),
        Key("E", "evaluate", "again", "Evaluate again; other settings if you like"),
        Key("o", "parent", "its run", "Open the run that is evaluated"),
        Key("L", "leaderboard", "leaderboard", _LEADERBOARD.help),
        Key("z", "zoom", "zoom", "The whole grid, or the first images larger"),
        Key("slash", "search", "", "Search in the log; n and N go to the other matches", palette=False),
        Key("F", "follow", "", "Follow the end of the log, or stay", palette=False),
        Key("w", "wrap", "", "Wrap long lines of the log, or cut them", palette=False),
        _EDIT,
        _COPY,
    ),
    "restoring": (
        Key("left_square_bracket", "previous_tab", "", "The tab to the left", palette=False),
        Key("right_square_bracket", "next_tab", "", "The tab to the right", palette=False),
        Key("1", "tab('images')", "", "The images while they are restored"),
        Key("2", "tab('log')", "", "Log; what could not be restored is named there"),
        Key("3", "tab('config')", "", "Configuration"),
        Key("4", "tab('about')", "", "Where the run comes from; host, versions, command"),
        Key("left", "earlier", "earlier", "The step before", palette=False),
        Key("right", "later", "later", "The step after", palette=False),
        Key("z", "zoom", "zoom", "All images, or the first ones larger"),
        Key("x", "stop", "stop", "Stop the run; what it has restored is kept"),
        Key("r", "resume", "resume", "Resume the run; it goes on where it was stopped"),
        Key("R", "restore_images", "again", "Restore again; other settings if you like"),
        Key("o", "parent", "its run", "Open the run that restores"),
        Key("slash", "search", "", "Search in the log; n and N go to the other matches", palette=False),
        Key("F", "follow", "", "Follow the end of the log, or stay", palette=False),
        Key("w", "wrap", "", "Wrap long lines of the log, or cut them", palette=False),
        _EDIT,
        Key("y", "copy_path", "copy path", "Copy the path of the restored images"),
    ),
    "measuring": (
        Key("left_square_bracket", "previous_tab", "", "The tab to the left", palette=False),
        Key("right_square_bracket", "next_tab", "", "The tab to the right", palette=False),
        Key("1", "tab('bits')", "", "Bits per dimension, and the terms by timestep"),
        Key("2", "tab('log')", "", "Log"),
        Key("3", "tab('config')", "", "Configuration"),
        Key("4", "tab('about')", "", "Where the run comes from; host, versions, command"),
        Key("l", "log_scale", "log scale", "The terms linear or logarithmic"),
        Key("x", "stop", "stop", "Stop the run; what it has measured is kept"),
        Key("r", "resume", "resume", "Resume the run; it goes on where it was stopped"),
        Key("B", "likelihood", "again", "Measure again; other settings if you like"),
        Key("o", "parent", "its run", "Open the run that is measured"),
        Key("slash", "search", "", "Search in the log; n and N go to the other matches", palette=False),
        Key("F", "follow", "", "Follow the end of the log, or stay", palette=False),
        Key("w", "wrap", "", "Wrap long lines of the log, or cut them", palette=False),
        _EDIT,
        _COPY,
    ),
    "sample": (
        Key("ctrl+l", "launch", "launch", "Draw the images", priority=True),
        Key("ctrl+y", "copy_command", "copy command", "Copy the command that does the same", priority=True),
    ),
    "evaluate": (
        Key("ctrl+l", "launch", "launch", "Evaluate the checkpoint", priority=True),
        Key("ctrl+y", "copy_command", "copy command", "Copy the command that does the same", priority=True),
    ),
    "restore": (
        Key("ctrl+l", "launch", "launch", "Restore the images", priority=True),
        Key("ctrl+y", "copy_command", "copy command", "Copy the command that does the same", priority=True),
    ),
    "likelihood": (
        Key("ctrl+l", "launch", "launch", "Measure the images", priority=True),
        Key("ctrl+y", "copy_command", "copy command", "Copy the command that does the same", priority=True),
    ),
    "live": (
        Key("space", "seed(1)", "another", "The images of the next seed"),
        Key("backspace", "seed(-1)", "", "The images of the seed before"),
        Key("left", "steps(-1)", "fewer", "Fewer steps"),
        Key("right", "steps(1)", "more", "More steps"),
        Key("s", "solver(1)", "solver", "The next solver"),
        Key("S", "solver(-1)", "", "The solver before"),
        Key(
            "c",
            "compare",
            "compare",
            "All solvers side by side at several step counts; or one grid again",
            first=True,
        ),
        Key("down", "row(1)", "", "The solver below, where they are side by side", palette=False),
        Key("up", "row(-1)", "", "The solver above", palette=False),
        Key("plus,equals_sign", "count(1)", "", "More images"),
        Key("minus", "count(-1)", "", "Fewer images"),
        Key("k", "label(1)", "class", "The next class, where the network knows classes; after the last, all"),
        Key("K", "label(-1)", "", "The class before"),
        Key("p", "sample", "keep", "Draw the same as a run that is kept; other settings if you like"),
        Key("g", "guidance(1)", "guidance", "More guidance, by the class or by an earlier checkpoint"),
        Key("G", "guidance(-1)", "", "Less guidance, down to none"),
    ),
    "leaderboard": (
        Key("enter", "open", "open", "Open the run that was evaluated", palette=False),
        Key("o", "open_evaluation", "its evaluation", "Open the run that found the scores"),
        Key("E", "evaluate", "again", "Evaluate the checkpoint under the cursor again"),
    ),
    "compare": (
        Key("a", "all", "all values", "All of the configuration, or only what differs"),
        Key("l", "log_scale", "log scale", "Charts linear or logarithmic"),
        Key("s", "smoothing", "smoothing", "Smooth the losses more; from none to strong and round again"),
        Key("left", "earlier", "earlier", "Earlier sample grids"),
        Key("right", "later", "later", "Later sample grids"),
        Key("z", "zoom", "", "The whole grids, or the first images larger"),
    ),
    FORMS: (
        Key("up", "field(-1)", "", "The field above; above the first is the filter", palette=False),
        Key("down,enter", "field(1)", "", "The field below", palette=False),
        Key("left", "choose(-1)", "", "The choice before, where there are a few", palette=False),
        Key("right", "choose(1)", "", "The choice after", palette=False),
        Key("pageup", "section(-1)", "", "The section above", palette=False),
        Key("pagedown", "section(1)", "", "The section below", palette=False),
        Key("ctrl+r", "restore", "", "The preset's value for this field", palette=False),
    ),
    LISTS: (
        Key("up,k", "move(-1)", "", "The row above", palette=False),
        Key("down,j", "move(1)", "", "The row below", palette=False),
        Key("pageup", "page(-1)", "", "A page up", palette=False),
        Key("pagedown", "page(1)", "", "A page down", palette=False),
        Key("home,g", "first", "", "The first row", palette=False),
        Key("end,G", "last", "", "The last row", palette=False),
    ),
    EVERYWHERE: (
        Key("escape", "back", "back", "Go back", palette=False),
        Key("question_mark,f1", "help", "help", "All keys"),
        Key("ctrl+p", "command_palette", "commands", "Find a command or a run by typing", palette=False),
        Key("T", "theme", "", "Dark or light theme"),
        Key("q", "quit", "leave", "Leave the app; runs go on"),
    ),
}


def bindings(place: str) -> list[BindingType]:
    """Textual's bindings of a place. A place that is a screen also knows the way back."""
    table = TABLE[place]
    if place in SCREENS:
        table += tuple(key for key in TABLE[EVERYWHERE] if key.action == "back")
    return [
        Binding(key.keys, key.action, key.label or key.title, show=bool(key.label), priority=key.priority)
        for key in table
        if place != EVERYWHERE or key.action != "back"
    ]
