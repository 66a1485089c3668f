"""Bad usage: one clear line that names what was given and what is allowed, a hint, and exit status 2."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runs.cli.main import VERBS, main
from runs.home import find
from tests.runs.cli.command import argv, call, environment, record

BAD = [
    (["trian", "mnist"], "no verb 'trian'; did you mean train?"),
    (["frobnicate"], "no verb 'frobnicate'"),
    (["--hoem", "x"], "no option '--hoem'; did you mean --home?"),
    (["ls", "--jsn"], "no option '--jsn'; did you mean --json?"),
    (["ls", "--home"], "--home: expected one argument"),
    (["ls", "--sort", "los"], "did you mean loss?"),
    (["ls", "--status", "runing"], "'runing' is not one of running, queued, finished, stopped, failed, lost"),
    (["ls", "--limit", "many"], "--limit: 'many' is not a whole number, at least 0"),
    (["ls", "--limit", "-1"], "--limit"),
    (["show"], "missing: RUN"),
    (["show", "a", "b"], "'b' is one argument too many"),
    (["train"], "missing: PRESET|FILE.toml"),
    (["train", "mnst"], "mnist, mnist-consistency, mnist-cpu, mnist-gpu; did you mean mnist?"),
    (["train", "nowhere.toml"], "nowhere.toml: no such file"),
    (["train", "digits", "--set", "training.stps=5"], "no such key; did you mean training.steps?"),
    (["train", "digits", "--set", "training.steps"], "--set training.steps: expected section.key=value"),
    (["train", "digits", "--set", "training.steps=0"], "'0' is not a whole number, at least 1"),
    (["train", "digits", "--set", "data.dataset=mnits"], "did you mean mnist?"),
    (["train", "digits", "--device", "GPU 1"], "--device: 'GPU 1' is not a device"),
    (["compare", "1"], "two runs or more"),
    (["wait", "1", "--timeout", "soon"], "'soon' is not a time; write 90, 90s, 10m or 2h"),
    (["rm"], "name runs to move to the trash"),
    (["rm", "1", "--purge"], "name runs to move to the trash"),
    (["rm", "1", "--yes"], "--yes goes with --purge"),
    (["edit", "1"], "nothing to change"),
    (["presets", "mnits"], "did you mean mnist?"),
    (["ls", "--home", ""], "the home cannot be empty"),
    (["ls", "--home", "~nosuch/x"], "~nosuch/x: there is no user 'nosuch'"),
    (["ls", "--home", "\udcff"], "paths must be UTF-8 text"),
    (["sample", "1", "--out", "~nosuch/x.png"], "--out: ~nosuch/x.png: there is no user 'nosuch'"),
    (["train", "digits", "--set", "data.root=~nosuch"], "~nosuch: there is no user 'nosuch'"),
    (["train", "digits", "--set", "data.root=/\udcff"], "data.root"),
    (["train", "digits", "--name", "last"], "'last' cannot be a name"),
    (["train", "digits", "--name", "12"], "'12' cannot be a name"),
    (["train", "digits", "--tag", "a,b"], "'a,b' cannot be a tag"),
    (["train", "digits", "--note", "\x07"], "notes cannot hold"),
    (["sample", "a@abc"], "write RUN@STEP"),
    (["export", "a", "out"], "missing: --to"),
    (["export", "a", "--to", "diffusers"], "missing: DIR"),
    (["export", "a", "out", "--to", "difusers"], "did you mean diffusers?"),
    (["export", "a", "out", "--to", "diffusers", "--dtype", "int8"], "--dtype: 'int8' is not one of"),
    (["export", "a", "out", "--to", "torch", "--dtype", "float16"], "a program computes in float32"),
    (["export", "a", "out", "--to", "onnx", "--dtype", "float16"], "leave it out with --to onnx"),
    (["export", "a", "out", "--to", "diffusers", "--raw", "--average", "0.9"], "leave out --average"),
    (["export", "a", "/", "--to", "diffusers"], "there already; name a new or an empty folder"),
    (["import"], "missing: DIR"),
    (["import", "/nowhere"], "/nowhere: no such folder"),
    (["import", "/dev/null"], "/dev/null: not a folder"),
    (["import", "/", "--set", "training.steps"], "expected section.key=value"),
    (["import", "/", "--set", "training.stps=1"], "did you mean training.steps?"),
    (["import", "/", "--dataset", "mnits"], "did you mean mnist?"),
    (["import", "/", "--name", "last"], "'last' cannot be a name"),
    ([], "the app needs a terminal"),
    (["app"], "the app needs a terminal"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a) or "(none)" for a, _ in BAD])
def test_bad_usage(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DDPM_HOME", str(tmp_path))
    try:
        status = main(arguments)
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert message in err
    assert err.startswith("ddpm-tui")
    assert len(err.splitlines()) <= 2, err


def test_a_file_that_is_not_toml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("training = [")
    assert main(["train", str(path)]) == 2
    assert f"{path}: not TOML" in capsys.readouterr().err


def test_escape_codes_in_what_was_given_are_not_sent_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["\x1b[31mls"])
    assert "\x1b" not in capsys.readouterr().err
    assert main(["train", "\x1b[31mmnist"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_home_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["ls", "--home", str(tmp_path / "file" / "home")]) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "cannot be written" in err


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([verb, "--help"])
    assert leaving.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: ddpm-tui {verb}" in out
    assert max(map(len, out.splitlines())) <= 80
    assert f"examples:\n  ddpm-tui{' ' + verb if verb != 'app' else ''}" in out


@pytest.mark.parametrize("verb", ["ls", "show"])
def test_words_that_are_not_utf8_find_nothing(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDPM_HOME", str(tmp_path))
    record(find(str(tmp_path)), "one")
    assert main([verb, "\udcff"]) == (0 if verb == "ls" else 1)


def test_help_of_help_is_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "help"]) == 0
    assert "usage: ddpm-tui [--home DIR]" in capsys.readouterr().out


def test_help_lists_each_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for verb, summary in VERBS.items():
        assert f"  {verb:<13}{summary}\n" in out
    assert max(map(len, out.splitlines())) <= 80


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ddpm-tui 0.")


def test_dry_run_prints_a_file_that_starts_the_same_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["--home", str(tmp_path / "none"), "train", "digits", "--set", "training.steps=7", "--dry-run"])
        == 0
    )
    text = capsys.readouterr().out
    (tmp_path / "mine.toml").write_text(text)
    assert "steps = 7" in text
    assert main(["train", str(tmp_path / "mine.toml"), "--dry-run"]) == 0
    assert capsys.readouterr().out == text
    assert not (tmp_path / "none").exists()


def test_dry_run_refuses_a_name_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["train", "digits", "--dry-run", "--name", "first"]
    assert main(["--home", str(tmp_path / "none"), *asked]) == 0
    record(find(str(tmp_path)), "first")
    capsys.readouterr()
    assert main(["--home", str(tmp_path), *asked]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "ddpm-tui train: a run named 'first' exists; 'first-1' is free\n")


def test_presets_as_files_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    from ddpm import configfiles

    assert main(["presets", "--json"]) == 0
    assert [p["name"] for p in json.loads(capsys.readouterr().out)] == configfiles.preset_names()
    assert main(["presets", "digits"]) == 0
    assert capsys.readouterr().out == configfiles.preset_text("digits")
    assert main(["presets", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["data"]["dataset"] == "digits"


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    script = 'trap "" PIPE; "$@" | true; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, "-", *argv(tmp_path, "--help")],
        capture_output=True,
        text=True,
        env=environment(PYTHONUNBUFFERED="1"),
        timeout=30,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(tmp_path: Path, closed: str) -> None:
    """And no file of the home is opened under their numbers, which prints would go to."""
    record(find(str(tmp_path)), "first")
    line = shlex.join(argv(tmp_path, "ls"))
    done = subprocess.run(["sh", "-c", f"{line} {closed}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert ("first" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize(("words", "status"), [(["presets"], 0), (["show", "nothing"], 1), (["nonsense"], 2)])
def test_the_program_ends_as_main_does_after_what_is_to_be_done_at_the_end(
    tmp_path: Path, words: list[str], status: int
) -> None:
    code = "import atexit; from runs.cli.main import command; atexit.register(print, 'last'); command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--home", str(tmp_path), *words], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout[-5:]) == (status, "last\n")


def test_a_terminal_of_few_characters_gets_stand_ins(tmp_path: Path) -> None:
    done = call(tmp_path, "--help", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert os.linesep in done.stdout
