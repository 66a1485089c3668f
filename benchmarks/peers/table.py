"""The README's table of peers, from the results that were kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers import ratios

MEASURES = {
    "training": "training",
    "sampling": "sampling, 50 DDIM steps",
    "start_up": "start-up",
    "memory": "memory",
}
#: By the time of the cores, on a machine that has other work as well.
CORE_MEASURES = {
    "training_core": "training, by core-seconds",
    "sampling_core": "sampling, by core-seconds",
}
NOT_MEASURED = "not measured"


def lines(results: Sequence[Mapping[str, Any]], measures: Mapping[str, str] = MEASURES) -> list[str]:
    """Markdown: for each network a row of ours in absolute figures, then how many times as good it is."""
    titles = ["network", "engine", *measures.values(), "parameters"]
    found = [_row(titles), _row(["---", "---", *["---:"] * (len(measures) + 1)])]
    for result in results:
        engines, name = result["engines"], result["network"]
        ours = engines["ours"]
        found.append(_row([name, "ours", *(_absolute(ours, m) for m in measures), _count(ours)]))
        for title, chosen in rows(engines, measures).items():
            cells = [_ratio(result["ratios"], chosen[measure], measure) for measure in measures]
            counted = next((engines[e] for e in chosen.values() if e), {})
            found.append(_row(["", title, *cells, _count(counted)]))
    return found


def rows(
    engines: Mapping[str, Any], measures: Mapping[str, str] = MEASURES
) -> dict[str, dict[str, str | None]]:
    """The peers' rows: by title, for each measure, the engine that stands there.

    Of diffusers with options that which is the best in each measure.
    """
    found: dict[str, dict[str, str | None]] = {}
    if "diffusers" in engines:
        found["diffusers, as its example runs it"] = dict.fromkeys(measures, "diffusers")
    options = {name: of for name, of in engines.items() if name.split(":")[0] == "diffusers"}
    if len(options) > 1:
        chosen = {measure: ratios.best(options, measure) for measure in measures}
        found[f"diffusers, the best of its options ({_options(next(iter(chosen.values())))})"] = chosen
    if "ddpm-pytorch" in engines:
        found["denoising-diffusion-pytorch"] = dict.fromkeys(measures, "ddpm-pytorch")
    return found


def _options(engine: str | None) -> str:
    return ", ".join((engine or "").partition(":")[2].split(",")).strip() or "none"


def _absolute(engine: Mapping[str, Any], measure: str) -> str:
    if not engine.get(measure):
        return NOT_MEASURED
    median = ratios.spread(engine[measure])["median"]
    unit = {"start_up": "s", "memory": "MiB"}.get(measure, "images/s" if measure in MEASURES else "images")
    return f"{median:.0f} {unit}" if median >= 100 else f"{median:.3g} {unit}"


def _ratio(found: Mapping[str, Any], engine: str | None, measure: str) -> str:
    ratio = found.get(engine or "", {}).get(measure)
    if ratio is None:
        return NOT_MEASURED
    low, high = ratio["least"], ratio["most"]
    if ratio["rounds"] == 1:
        return f"×{ratio['median']:.2f}"
    return f"×{ratio['median']:.2f} ({low:.2f}–{high:.2f})"


def _count(engine: Mapping[str, Any]) -> str:
    count = engine.get("facts", {}).get("parameters")
    return f"{count / 1e6:.2f} M" if count else NOT_MEASURED


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
