"""The record of what became of each input."""

from __future__ import annotations

from pathlib import Path

from ddpm.restoration.ledger import Ledger


def test_what_was_added_is_there_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "restored.jsonl"
    first = Ledger(path)
    first.add(0, input="a.png", output="a.png", psnr=20.0)
    first.add(2, input="b\n.png", error="not an image")
    second = Ledger(path)
    assert 0 in second
    assert 1 not in second
    assert 2 in second
    assert (second.done, second.failed) == (1, 1)
    assert list(second) == list(first)


def test_a_line_torn_by_a_kill_is_done_again_and_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "restored.jsonl"
    Ledger(path).add(0, input="a", output="a.png")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"image": 1, "input": "b", "outp')
    again = Ledger(path)
    assert 1 not in again
    assert path.read_bytes() == whole
    again.add(1, input="b", output="b.png")
    assert Ledger(path).done == 2


def test_means_are_over_what_was_measured(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "restored.jsonl")
    assert ledger.mean("psnr") is None
    ledger.add(0, input="a", output="a.png", psnr=20.0, ssim=None)
    ledger.add(1, input="b", output="b.png", psnr=30.0, ssim=0.5)
    ledger.add(2, input="c", error="no image")
    assert ledger.mean("psnr") == 25.0
    assert ledger.mean("ssim") == 0.5


def test_lines_of_others_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "restored.jsonl"
    path.write_text('[]\nnonsense\n{"image": "0"}\n{"image": 3, "output": "x.png"}\n')
    assert [line["image"] for line in Ledger(path)] == [3]


def test_names_that_are_no_unicode_are_kept_and_others_stay_legible(tmp_path: Path) -> None:
    """Of a file whose name was written in another encoding: it came back as a half of a surrogate pair."""
    path = tmp_path / "restored.jsonl"
    ledger = Ledger(path)
    ledger.add(0, input="bad\udcff.png", output="bad\udcff.png")
    ledger.add(1, input="ünï.png", output="ünï.png")
    assert list(Ledger(path)) == list(ledger)
    assert "ünï" in path.read_text("utf-8")
