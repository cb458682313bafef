"""The report of an inversion: how well pictures come back, what quantisation costs, the worst and the best to see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from pipelines import reportparts as parts
from pipelines.survey import Survey, distribution
from stylize.cache import CacheInfo, CacheRow, read_shard, shard_path
from stylize.charts import bars, histogram
from stylize.errors import StylizeError
from stylize.images import Pixels, decode_rgb, from_model, to_model
from stylize.markup import Html
from stylize.models.bundle import Bundle, load_bundle
from stylize.render import render_clipped
from stylize.reporting import Shown, fitted, page, remark, section, text
from stylize.sheet import evenly
from stylize.spelling import count, size
from stylize.storage import Storage
from stylize.wipes import Wipe, wipes

TYPICAL, WORST, BEST = 9, 6, 3  # pictures shown
CODED = 6  # units opened for the typical ones
SIDES = ("Source", "Reconstruction")
WIDTH = 480
_WORST, _BEST, _TYPICAL = "The worst", "The best", "A cross-section"
ABOUT = {
    _WORST: "The pictures with the lowest PSNR. When they differ in kind from the rest (another camera, night, glare), "
    "a model trained on such pictures is the remedy.",
    _BEST: "The pictures with the highest PSNR: often the plainest.",
    _TYPICAL: "Taken evenly from all units: what to expect of most pictures.",
}


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A cached picture: the source at the model's size, and what the model makes of its codes and noise maps."""

    row: CacheRow
    source_HWC: Pixels
    picture_HWC: Pixels


def build(survey: Survey) -> bytes:
    """Return the page of an `invert` run."""
    total, run = survey.total, survey.run
    pictures, trouble = _pictures(survey) if total.rows else ({}, None)
    return page(
        f"invert: {survey.storage.url}",
        parts.head(survey, f"Codes and noise maps of {run['sources'].get('dataset', 'a dataset')}."),
        parts.unfinished(survey),
        _figures(survey),
        _quality(survey) if total.rows else None,
        section("Pictures and their reconstructions", remark(trouble)) if trouble else None,
        *(_shown(title, about, pictures[title]) for title, about in ABOUT.items() if pictures.get(title)),
        _storage(survey) if total.rows else None,
        parts.failures(total),
        parts.time_by_stage(total.seconds),
        parts.identity(run, run["sources"]),
        parts.small_print(survey.storage.url),
    )


def _figures(survey: Survey) -> Html:
    total = survey.total
    first = [(parts.number(total.rows), f"of {count(survey.run['inputs']['rows'], 'picture')} inverted")]
    if total.rows:
        cost = total.mean("psnr_fp32") - total.mean("psnr")
        first += [
            (f"{total.mean('psnr'):.1f} dB", "mean PSNR of the reconstruction"),
            (f"{cost:.3f} dB", f"cost of storing noise as {survey.run['configuration']['noise']}"),
            (size(total.bytes / total.rows), "per picture"),
        ]
    return parts.figures_of(survey, *first)


def _quality(survey: Survey) -> Html:
    total = survey.total
    marks = {"5 %": total.percentile("psnr", 5), "median": total.percentile("psnr", 50)}
    return section(
        "Reconstruction",
        histogram(distribution(total.figures, "psnr"), "dB", marks=marks),
        text(
            "What is good depends on the model's size. As a rule, below 20 dB objects are missing or smeared, from "
            "25 dB on a scene is all there though soft, and above 30 dB it is hard to tell from its source. Copies at "
            "source size suffer less: only the change between two syntheses is carried over to the source."
        ),
        text(
            f"5 % of the pictures lie below {marks['5 %']:.1f} dB, half below {marks['median']:.1f} dB. "
            f"Before quantisation the mean was {total.mean('psnr_fp32'):.3f} dB, after it {total.mean('psnr'):.3f} dB."
        ),
        lead="PSNR of each picture as the model renders it from the cache, at the size of the model: higher is better.",
    )


def _storage(survey: Survey) -> Html:
    total = survey.total
    raw, stored = total.figures.get("raw_bytes", 0) / total.rows, total.bytes / total.rows
    sizes = {"raw fp32": (raw, size(raw)), "in this cache": (stored, size(stored))}
    return section(
        "Bytes per picture",
        bars(sizes),
        text(f"{raw / stored:.1f} times less than raw fp32; {size(total.bytes)} in all."),
    )


def _shown(title: str, about: str, pictures: Sequence[Restored]) -> Html:
    return section(title, wipes([_wipe(restored) for restored in pictures], SIDES, columns=3), lead=about)


def _wipe(restored: Restored) -> Wipe:
    row = restored.row
    return Wipe(
        left=Shown(picture=fitted(restored.source_HWC, WIDTH), alt=f"source {row.id}"),
        right=Shown(picture=fitted(restored.picture_HWC, WIDTH), alt=f"reconstruction of {row.id}"),
        caption=row.image,
        facts=[("PSNR", f"{row.psnr:.1f} dB"), ("source", f"{row.width} x {row.height}")],
    )


def _pictures(survey: Survey) -> tuple[dict[str, list[Restored]], str | None]:
    """Return pictures by section; without their sources or the model the reason why there are none."""
    sources = survey.run["sources"]
    options = survey.storage.options
    try:
        bundle = load_bundle(sources["model"], device="cpu", storage_options=options)
        if bundle.sha256 != survey.run["weights"]:
            changed = f"the model {sources['model']} is not the one of this run any more: name that with --model"
            return {}, f"No pictures here: {changed}."
        restorer = _Restorer(survey, bundle, Storage(sources["dataset"], options))
        few = min(WORST, max(1, survey.total.rows // 4))  # of a handful of pictures not nearly all are the worst
        shown = {
            _WORST: list(restorer.show(_extreme(survey, survey.weakest, 1), few)),
            _BEST: list(restorer.show(_extreme(survey, survey.strongest, -1), min(BEST, few))),
            _TYPICAL: list(restorer.show(_spread(survey), TYPICAL)),
        }
        return shown, None if shown[_TYPICAL] else restorer.trouble
    except StylizeError as error:
        return {}, f"No pictures here: {error}"


class _Restorer:
    """Renders cached pictures again beside their sources; a source that is gone is left out."""

    def __init__(self, survey: Survey, bundle: Bundle, dataset: Storage) -> None:
        self.trouble: str | None = None
        self._bundle = bundle
        self._dataset = dataset
        configuration = survey.run["configuration"]
        self._info = CacheInfo.from_dict({**configuration, "model_sha256": survey.run["weights"]})

    def show(self, cached: Iterable[CacheRow], wanted: int) -> Iterator[Restored]:
        """Yield up to `wanted` of the rows."""
        for row in cached:
            if wanted == 0:
                return
            try:
                source_HWC = decode_rgb(self._dataset.read(row.image))
            except StylizeError as error:
                self.trouble = f"No pictures here: {error}"
                continue
            wanted -= 1
            yield Restored(row=row, source_HWC=self._framed(source_HWC), picture_HWC=self._render(row))

    def _framed(self, source_HWC: Pixels) -> Pixels:
        return from_model(to_model(source_HWC, self._info.height, self._info.width))

    def _render(self, row: CacheRow) -> Pixels:
        ws_BLD = torch.from_numpy(row.codes(self._info).copy())[None]
        noise = [torch.from_numpy(noise_CHW)[None] for noise_CHW in row.noise(self._info)]
        return from_model(render_clipped(self._bundle, ws_BLD, noise)[0].numpy())


def _spread(survey: Survey) -> Iterator[CacheRow]:
    """Yield rows from all over the run, a few units of it opened."""
    opened = evenly(len(survey.units), CODED)
    for place, index in enumerate(opened):
        stored = _shard(survey, survey.units[index])
        share = TYPICAL * (place + 1) // len(opened) - TYPICAL * place // len(opened)
        yield from (stored[position] for position in evenly(len(stored), share))


def _extreme(survey: Survey, units: Sequence[int], sign: int) -> list[CacheRow]:
    """Return the lowest (sign 1) or highest (-1) rows of units among which the most extreme of all must be."""
    found: list[CacheRow] = []
    for unit in units:
        found = sorted([*found, *_shard(survey, unit)], key=lambda row: sign * row.psnr)[:WORST]
    return found


def _shard(survey: Survey, unit: int) -> list[CacheRow]:
    try:
        return read_shard(survey.storage.read(shard_path(unit)))
    except StylizeError:  # a unit whose inputs all failed has no shard
        return []
