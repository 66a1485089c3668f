from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from runs import home
from runs.errors import RunError


def test_option_wins_over_environment_and_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDPM_HOME", str(tmp_path / "environment"))
    assert home.find().path == tmp_path / "environment"
    found = home.find(str(tmp_path / "deep" / "option"))
    assert found.path == tmp_path / "deep" / "option"
    assert found.runs.is_dir()


def test_unset_means_the_platforms_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDPM_HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = home.find()
    assert found.path.name == "ddpm-tui"
    assert found.path.is_relative_to(tmp_path)


def test_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert home.find("here").path == tmp_path / "here"


def test_home_below_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file/home cannot be written: Not a directory; .*--home") as caught:
        home.find(str(tmp_path / "file" / "home"))
    assert "\n" not in str(caught.value)


def test_home_without_rights_is_one_line(tmp_path: Path) -> None:
    """Root may write everywhere, so the look is made by a process that has given that up."""
    (tmp_path / "home" / "runs").mkdir(parents=True)
    (tmp_path / "home" / "runs").chmod(0o555)
    (tmp_path / "home").chmod(0o555)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            home.find(str(tmp_path / "home"))
            os.write(writer, b"no error")
        except RunError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    message = os.read(reader, 1000).decode()
    os.close(reader)
    assert message.endswith(
        "home cannot be written: Permission denied; choose another with --home DIR or DDPM_HOME"
    )


def test_data_root_prefers_configuration_then_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = home.find(str(tmp_path))
    monkeypatch.delenv("DDPM_DATA", raising=False)
    assert home.data_root(found, None) == tmp_path / "datasets"
    monkeypatch.setenv("DDPM_DATA", "/data")
    assert home.data_root(found, None) == Path("/data")
    monkeypatch.chdir(tmp_path)
    assert home.data_root(found, "mine") == tmp_path / "mine"


def test_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    found = home.find(str(tmp_path))
    with found.locked(), (tmp_path / ".lock").open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (tmp_path / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_inception_weights_are_named_by_the_configuration_then_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DDPM_INCEPTION", raising=False)
    assert home.inception_weights(None) is None
    monkeypatch.setenv("DDPM_INCEPTION", "")
    assert home.inception_weights(None) is None
    monkeypatch.setenv("DDPM_INCEPTION", "/of/environment.pth")
    assert home.inception_weights(None) == Path("/of/environment.pth")
    monkeypatch.chdir(tmp_path)
    assert home.inception_weights("mine.pth") == tmp_path / "mine.pth"
