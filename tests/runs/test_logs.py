import threading
import time
from pathlib import Path

import pytest

from runs import logs


@pytest.mark.parametrize(
    ("content", "lines", "last"),
    [
        (b"a\nb\nc\n", 2, ["b", "c"]),
        (b"a\nb\nc", 2, ["b", "c"]),  # the unfinished line counts
        (b"a\n\n\n", 2, ["", ""]),
        (b"", 5, []),
        (b"only\n", 5, ["only"]),
        (b"a\nb\n", 0, []),
        (b"10%\r50%\r100%\ndone\r\n", 5, ["100%", "done"]),
        (b"10%\r50%\r", 5, ["50%"]),
        (b"caf\xe9 \xc3\xa9\n", 5, ["caf\ufffd \u00e9"]),
    ],
)
def test_tail(tmp_path: Path, content: bytes, lines: int, last: list[str]) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(content)
    assert logs.tail(path, lines) == last


def test_tail_of_nothing(tmp_path: Path) -> None:
    assert logs.tail(tmp_path / "log.txt", 5) == []


def test_tail_reads_only_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "BLOCK", 16)
    path = tmp_path / "log.txt"
    path.write_text("".join(f"line {i}\n" for i in range(1000)))
    assert logs.tail(path, 20) == [f"line {i}" for i in range(980, 1000)]
    monkeypatch.setattr(logs, "MOST", 32)
    assert logs.tail(path, 20)[-3:] == ["line 997", "line 998", "line 999"]
    assert len(logs.tail(path, 20)) < 6


def test_follow_misses_nothing_between_tail_and_end(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"{i}\n" for i in range(50)) + "5")
    over = threading.Event()

    def write() -> None:
        with path.open("a") as file:
            file.write("0\n")
            for i in range(51, 200):
                file.write(f"{i}\n")
                file.flush()
                time.sleep(0.0005)
            file.write("unfinished")
        over.set()

    writer = threading.Thread(target=write)
    lines = logs.follow(path, over.is_set, lines=3, interval=0.01)
    got = [next(lines)]
    writer.start()
    got += list(lines)
    writer.join()
    assert got == [str(i) for i in range(47, 200)] + ["unfinished"]


def test_follow_waits_for_the_file_and_survives_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    turns = iter(
        [
            lambda: None,
            lambda: path.write_text("first, long\n"),
            lambda: None,
            lambda: path.write_text("new\n"),
            lambda: None,
        ]
    )

    def stop() -> bool:
        turn = next(turns, None)
        if turn:
            turn()
        return turn is None

    assert list(logs.follow(path, stop, interval=0)) == ["first, long", "new"]


def test_follow_of_a_file_that_never_comes(tmp_path: Path) -> None:
    assert list(logs.follow(tmp_path / "none", lambda: True)) == []
