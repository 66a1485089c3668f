"""Runs as JSON objects: the keys that scripts rely on. Unknown is null."""

from __future__ import annotations

from typing import Any

from runs.rows import FidProtocol, RunDetail, RunRow

#: Keys of `ls --json`, in this order; `show --json` has these first.
ROW_KEYS = (
    "id",
    "name",
    "kind",
    "status",
    "preset",
    "step",
    "total_steps",
    "images_seen",
    "loss",
    "images_per_second",
    "fid",
    "fid_protocol",
    "device",
    "created_at",
    "ended_at",
    "parent",
    "path",
    "waits_for",
)


def row_record(row: RunRow, protocol: FidProtocol | None) -> dict[str, Any]:
    """A run as `ls --json` shows it, and what its FID is of."""
    return {key: protocol if key == "fid_protocol" else getattr(row, key) for key in ROW_KEYS}


def detail_record(detail: RunDetail) -> dict[str, Any]:
    """A run as `show --json` shows it."""
    return {
        **row_record(detail.row, detail.fid_protocol),
        "config": detail.config,
        "tags": detail.row.tags,
        "notes": detail.notes,
        "provenance": detail.provenance,
        "checkpoints": detail.checkpoints,
        "samples": detail.samples,
        "evaluations": detail.evaluations,
        "error": detail.error,
        "command": detail.command,
        "started_at": detail.started_at,
        "parameters": detail.parameters,
        "device_name": detail.device_name,
        "notices": detail.notices,
        "evaluating": detail.evaluating,
        "restored": detail.restored,
        "likelihood": detail.likelihood,
    }
