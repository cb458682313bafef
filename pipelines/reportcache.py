"""The report of an inversion: how well pictures come back, what quantisation costs, the worst ones for all to see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from stylize.reporting import Shown, fitted, gallery, page, remark, section, text
from stylize.sheet import evenly
from stylize.spelling import count, size
from stylize.storage import Storage

TYPICAL, WORST, CODED = 12, 6, 6  # pictures shown, and units opened for the typical ones
WIDTH = 360


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A cached picture: the source at model size, and what the model makes of its codes and noise maps."""

    row: CacheRow
    source_HWC: Pixels
    picture_HWC: Pixels


def build(survey: Survey) -> bytes:
    """Return the page of an `invert` run."""
    total, run = survey.total, survey.run
    typical, worst, trouble = _pictures(survey) if total.rows else ([], [], None)
    return page(
        f"invert: {survey.storage.url}",
        parts.head(survey, f"Codes and noise maps of {run['sources'].get('dataset', 'a dataset')}."),
        parts.unfinished(survey),
        _figures(survey),
        _quality(survey) if total.rows else None,
        section("Pictures and their reconstructions", remark(trouble)) if trouble else None,
        _typical(typical) if typical else None,
        _worst(worst) if worst else None,
        _storage(survey) if total.rows else None,
        parts.failures(total),
        parts.time_by_stage(total),
        parts.identity(survey, run["sources"]),
        parts.small_print(survey),
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
            f"5 % of the pictures lie below {marks['5 %']:.1f} dB, half below {marks['median']:.1f} dB. "
            f"Before quantisation the mean was {total.mean('psnr_fp32'):.3f} dB, after it {total.mean('psnr'):.3f} dB."
        ),
        lead="PSNR of each picture as the model renders it from the cache, at the size of the model.",
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


def _typical(pictures: Sequence[Restored]) -> Html:
    return section(
        "Pictures and their reconstructions",
        gallery([item for restored in pictures for item in _pair(restored)], 4),
        lead="Taken evenly from the whole run, at the size of the model.",
    )


def _worst(pictures: Sequence[Restored]) -> Html:
    return section(
        "The worst",
        gallery([item for restored in pictures for item in _pair(restored)], 4),
        lead="The pictures with the lowest PSNR, each beside its reconstruction. When they differ in kind from the "
        "rest (another camera, night, glare), a model trained on such pictures is the remedy.",
    )


def _pair(restored: Restored) -> tuple[Shown, Shown]:
    row = restored.row
    return (
        Shown(picture=fitted(restored.source_HWC, WIDTH), caption=row.image, alt=f"source {row.id}"),
        Shown(
            picture=fitted(restored.picture_HWC, WIDTH),
            caption=f"reconstruction, {row.psnr:.1f} dB",
            alt=f"reconstruction of {row.id}",
            mark="result",
        ),
    )


def _pictures(survey: Survey) -> tuple[list[Restored], list[Restored], str | None]:
    """Return typical and worst pictures; without their sources or the model the reason why there are none."""
    sources = survey.run["sources"]
    options = survey.storage.options
    try:
        bundle = load_bundle(sources["model"], device="cpu", storage_options=options)
        if bundle.sha256 != survey.run["weights"]:
            return [], [], f"No pictures here: the model {sources['model']} is not the one of this run any more."
        restorer = _Restorer(survey, bundle, Storage(sources["dataset"], options))
        typical = list(restorer.show(_spread(survey), TYPICAL))
        few = min(WORST, max(1, survey.total.rows // 4))  # of a handful of pictures not nearly all are the worst
        worst = sorted(_lowest(survey), key=lambda row: row.psnr)[:few]
        return typical, list(restorer.show(worst, few)), None if typical else restorer.trouble
    except StylizeError as error:
        return [], [], f"No pictures here: {error}"


class _Restorer:
    """Renders cached pictures again beside their sources; a source that is gone is left out."""

    def __init__(self, survey: Survey, bundle: Bundle, dataset: Storage) -> None:
        self.trouble: str | None = None
        self._bundle = bundle
        self._dataset = dataset
        configuration = survey.run["configuration"]
        self._info = CacheInfo.from_dict({**configuration, "model_sha256": survey.run["weights"]})

    def show(self, cached: Sequence[CacheRow] | Iterator[CacheRow], wanted: int) -> Iterator[Restored]:
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


def _lowest(survey: Survey) -> Iterator[CacheRow]:
    """Yield the lowest rows of the weakest units, among which the worst of all must be."""
    for unit in survey.weakest:
        yield from sorted(_shard(survey, unit), key=lambda row: row.psnr)[:WORST]


def _shard(survey: Survey, unit: int) -> list[CacheRow]:
    try:
        return read_shard(survey.storage.read(shard_path(unit)))
    except StylizeError:  # a unit whose inputs all failed has no shard
        return []
