"""Tables and plot of `ablation.py`, from its JSON; prose that stands above the tables in the Markdown file is kept.

python benchmarks/ablation_report.py                        # once more from benchmarks/results/ablation.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

RESULTS = Path(__file__).parent / "results"
FIGURES = "## Figures\n"
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the trade-off: the variants it joins, how a point is called, and where its name stands, in points."""

    label: str
    colour: str
    belongs: Callable[[Row], bool]
    call: Callable[[Row], str]
    offset: tuple[int, int]


def _masked(row: Row) -> str:
    return f"{row['mask ratio']:.0%}"


LINES = (
    Line(
        label="mask ratio, N(0, 1) in the mask",
        colour="#1f6fb4",
        belongs=lambda row: row["recipe"] == "paper" and row["scale"] == 4 and row["replacement"] == "normal",
        call=_masked,
        offset=(-22, -4),
    ),
    Line(
        label="mask ratio, zeros in the mask",
        colour="#d1701f",
        belongs=lambda row: row["recipe"] == "paper" and row["replacement"] == "zeros",
        call=_masked,
        offset=(0, -17),
    ),
    Line(
        label="scale of the noise maps, 25% masked",
        colour="#3a9147",
        belongs=lambda row: row["recipe"] == "paper" and row["mask ratio"] == 0.25 and row["replacement"] == "normal",
        call=lambda row: f"1/{row['scale']}",
        offset=(18, -4),
    ),
    Line(
        label="mask ratio, preset light",
        colour="#8452a8",
        belongs=lambda row: row["recipe"] == "light",
        call=_masked,
        offset=(0, 9),
    ),
)


def write(report: Row, out: Path) -> None:
    """Write `ablation.md` and `ablation.png` into a folder."""
    path = out / "ablation.md"
    above = path.read_text().split(FIGURES)[0] if path.exists() else "# Ablation of the masked noise encoder\n\n"
    path.write_text(above + FIGURES + "\n" + "\n\n".join(tables(report)) + "\n")
    draw(report, out / "ablation.png")


def tables(report: Row) -> list[str]:
    """Return the paragraphs and tables of a report in Markdown."""
    pairs = next(iter(report["variants"][0]["seeds"].values()))
    height, width = report["source"]
    errors = [
        f"± {np.mean([figures[name] for row in report['variants'] for figures in row['seeds'].values()]):.2f} dB"
        for name in ("gain error", "low gain error")
    ]
    setting = (
        f"{report['images']:,} training images per model; {pairs['pairs']} pairs ({report['scenes']} scenes in five "
        f"conditions) at {height}x{width}. The day scenes themselves stand at {pairs['content']:.2f} dB, "
        f"{pairs['content_low']:.2f} dB in low frequencies, from the truth. Means over seeds, ± half the distance "
        f"between the seeds where there are two; over scenes, the standard error of a gain is {errors[0]} (full) and "
        f"{errors[1]} (low)."
    )
    parts = [
        setting,
        _table(
            ("recipe", "maps at", "masked", "filled with", "seeds", "numbers per picture", *COLUMNS),
            [_settings(row) + _figures(list(row["seeds"].values())) for row in report["variants"]],
        ),
    ]
    if report["missing"]:
        parts.append(f"Not trained yet, the same command goes on with them: {', '.join(report['missing'])}.")
    for model, found in report["swaps"].items():
        rows = [[name, *_figures([figures])[1:]] for name, figures in found["groups"].items()]
        parts.append(
            f"Codes of some layers only, at inference; model `{model}` with {found['layers']} layers (coarse: 0-2, "
            f"middle: 3-6, fine: 7-{found['layers'] - 1}):"
        )
        parts.append(_table(("layers that move", *list(COLUMNS)[1:]), rows))
    return parts


COLUMNS = {
    "reconstruction, dB": ("held-out PSNR", 2),
    "closer, full": ("closer", None),
    "closer, low": ("closer_low", None),
    "gain, full, dB": ("gain", 2),
    "gain, low, dB": ("gain_low", 2),
    "moved, grey levels": ("moved", 1),
    "synthesis PSNR, dB": ("synthesis PSNR", 2),
    "synthesis SSIM": ("synthesis SSIM", 3),
}


def value(figures: Row, name: str) -> float:
    """Return one figure of a model; gains are differences of two."""
    if name == "gain":
        return float(figures["result"] - figures["content"])
    if name == "gain_low":
        return float(figures["result_low"] - figures["content_low"])
    return float(figures.get(name) or 0.0)


def _settings(row: Row) -> list[str]:
    seeds = list(row["seeds"].values())
    masked = row["mask ratio"] > 0
    return [
        row["recipe"],
        f"1/{row['scale']}",
        f"{row['mask ratio']:.0%}",
        (row["replacement"] if masked else ""),
        str(len(seeds)),
        f"{seeds[0]['numbers per picture']:,}",
    ]


def _figures(seeds: Sequence[Row]) -> list[str]:
    cells = []
    for name, digits in COLUMNS.values():
        values = np.array([value(figures, name) for figures in seeds])
        spread = f" ± {np.ptp(values) / 2:.{digits}f}" if digits and len(values) > 1 else ""
        cells.append(f"{values.mean():.0%}" if digits is None else f"{values.mean():.{digits}f}{spread}")
    return cells


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw(report: Row, path: Path) -> None:
    """Draw the trade-off, and what each group of layers moves."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.6), width_ratios=(1.25, 1), layout="constrained")
    _draw_trade_off(left, report["variants"])
    _draw_swaps(right, report["swaps"])
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_trade_off(axes: Axes, rows: Sequence[Row]) -> None:
    for index, line in enumerate(LINES):
        chosen = sorted((row for row in rows if line.belongs(row)), key=lambda row: (row["scale"], row["mask ratio"]))
        if not chosen:
            continue
        points = [
            np.array([[value(f, "held-out PSNR"), value(f, "gain_low")] for f in row["seeds"].values()])
            for row in chosen
        ]
        means = np.array([some.mean(0) for some in points])
        axes.plot(
            *means.T, "-o", color=line.colour, label=line.label, markersize=8, linewidth=1.6, zorder=3 - index / 10
        )
        across, up = np.concatenate(points).T
        axes.scatter(across, up, color=line.colour, s=14, alpha=0.5, linewidths=0)
        for row, mean in zip(chosen, means, strict=True):
            axes.annotate(
                line.call(row), mean, xytext=line.offset, textcoords="offset points", color=line.colour, ha="center"
            )
    axes.set_xlabel("reconstruction of held-out pictures, PSNR in dB")
    axes.set_ylabel("towards the true render, low frequencies, dB")
    axes.set_title("One setting changed at a time", loc="left")
    axes.grid(alpha=0.25)
    axes.margins(0.1)
    axes.legend(frameon=False, fontsize=9)


def _draw_swaps(axes: Axes, swaps: Row) -> None:
    height = 0.8 / max(len(swaps), 1)
    for index, (model, found) in enumerate(swaps.items()):
        groups = [name for name in found["groups"] if name != "none"]
        gains = [value(found["groups"][name], "gain_low") for name in groups]
        places = np.arange(len(groups)) + (index - (len(swaps) - 1) / 2) * height
        bars = axes.barh(places, gains, height * 0.9, label=model, color=("#3a5a8c", "#9db6d8")[index % 2])
        axes.bar_label(bars, fmt="%+.1f", padding=3, fontsize=9)
        axes.set_yticks(range(len(groups)), groups)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.margins(x=0.14)
    axes.set_xlabel("towards the true render, low frequencies, dB")
    axes.set_title("Codes of some layers only, no training", loc="left")
    axes.legend(frameon=False, fontsize=9)


if __name__ == "__main__":
    write(json.loads((RESULTS / "ablation.json").read_text()), RESULTS)
