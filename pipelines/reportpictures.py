"""Pictures of a mix for its report: some copies from all over the run, read once, measured and made small."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from pipelines import provenance
from pipelines.fingerprint import load
from pipelines.flow import prefetch
from pipelines.provenance import Row
from pipelines.survey import Survey
from stylize.errors import StylizeError
from stylize.evaluation.style import colour_distance, styles
from stylize.guard import content_score
from stylize.images import Pixels, decode_rgb, to_model
from stylize.reporting import fitted
from stylize.sheet import evenly
from stylize.storage import Storage

OPENED = 24  # units whose provenance is read
THREADS = 4
WIDTH, SMALL = 560, 240  # pixels: of contents and results, of exemplars
HEIGHT = 192  # at which colours are compared, as by `evaluate stylization`

Item = TypeVar("Item")
Naming = Callable[[str], str]


class Pictures:
    """Reads the contents, exemplars and outputs of a mix where its records say they are.

    Runs from before `styles_dataset` was recorded name the exemplars' cache, whose own record is asked then.
    """

    def __init__(self, survey: Survey) -> None:
        sources, options = survey.run["sources"], survey.storage.options
        self.contents, self.out = Storage(sources["dataset"], options), survey.storage
        self.exemplars: Storage | None = self.contents
        self.trouble = ""
        if sources.get("styles"):
            self.exemplars = self._exemplars(sources, survey)

    def content(self, row: Row) -> Pixels:
        """Return the content of a copy; raises `StylizeError`."""
        return decode_rgb(self.contents.read(row["content_source"]))

    def output(self, row: Row) -> Pixels:
        """Return a copy; raises `StylizeError`."""
        return decode_rgb(self.out.read(row["image"]))

    def exemplar(self, source: str) -> Pixels:
        """Return an exemplar by its file; raises `StylizeError`."""
        if self.exemplars is None:
            raise StylizeError(self.trouble)
        return decode_rgb(self.exemplars.read(source))

    def _exemplars(self, sources: Mapping[str, str], survey: Survey) -> Storage | None:
        options = survey.storage.options
        if sources.get("styles_dataset"):
            return Storage(sources["styles_dataset"], options)
        try:
            return Storage(load(Storage(sources["styles"], options))["sources"]["dataset"], options)
        except StylizeError as error:
            self.trouble = f"the exemplars' cache is gone: {error}"
            return None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A copy that was looked at, with its pictures made small.

    `before` and `after` are the distances in colour to the exemplar, of content and copy; NaN without the exemplar.
    """

    row: Row
    condition: str
    score: float
    before: float
    after: float
    content_HWC: Pixels
    output_HWC: Pixels
    exemplar_HWC: Pixels | None


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen of a run; `trouble` says why pictures are missing, if any are."""

    seen: Sequence[Seen]
    trouble: str

    def by_condition(self) -> dict[str, list[Seen]]:
        """Return what was seen by condition, most first."""
        groups = _grouped(self.seen, lambda one: one.condition)
        return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))

    def shown(self, wanted: int) -> list[Seen]:
        """Return some, each condition in turn."""
        return _in_turn(self.by_condition(), wanted)


def look(survey: Survey, pictures: Pictures, name: Naming, wanted: int) -> Look:
    """Read and measure up to `wanted` copies from all over a run, each condition in turn; `name` names them."""
    chosen = _in_turn(_grouped(_rows(survey), lambda row: name(row["exemplar_source"])), wanted)
    troubles: list[str] = []

    def see(row: Row) -> Seen | None:
        try:
            return _see(row, pictures, name(row["exemplar_source"]), troubles)
        except StylizeError as error:
            troubles.append(str(error))
            return None

    with ThreadPoolExecutor(THREADS, "report") as threads:
        seen = [one for one in prefetch(threads, see, chosen, ahead=2 * THREADS) if one is not None]
    return Look(seen=seen, trouble=min(troubles, default=""))


def way_gone(seen: Sequence[Seen]) -> tuple[float, float, float]:
    """Return the mean distances of contents and of copies to their exemplars, and the share of the way that was gone.

    In Lab; NaN when no exemplar could be read. Without a way worth the name the share is NaN.
    """
    pairs = [(one.before, one.after) for one in seen if math.isfinite(one.before)]
    if not pairs:
        return math.nan, math.nan, math.nan
    before, after = (float(mean) for mean in np.mean(pairs, axis=0))
    return before, after, 1 - after / before if before > 1 else math.nan


def _see(row: Row, pictures: Pictures, condition: str, troubles: list[str]) -> Seen:
    content_HWC, output_HWC = pictures.content(row), pictures.output(row)
    recorded = row.get("content_score")
    score = content_score(content_HWC, output_HWC) if recorded is None else recorded
    exemplar_HWC, before, after = None, math.nan, math.nan
    try:
        full_HWC = pictures.exemplar(row["exemplar_source"])
        before, after = _distances(content_HWC, output_HWC, full_HWC)
        exemplar_HWC = fitted(full_HWC, SMALL)
    except StylizeError as error:
        troubles.append(str(error))
    return Seen(
        row=row,
        condition=condition,
        score=score,
        before=before,
        after=after,
        content_HWC=fitted(content_HWC, WIDTH),
        output_HWC=fitted(output_HWC, WIDTH),
        exemplar_HWC=exemplar_HWC,
    )


def _distances(content_HWC: Pixels, output_HWC: Pixels, exemplar_HWC: Pixels) -> tuple[float, float]:
    height = min(HEIGHT, output_HWC.shape[0])
    width = max(1, round(height * output_HWC.shape[1] / output_HWC.shape[0]))
    small = [to_model(picture_HWC, height, width) for picture_HWC in (content_HWC, output_HWC, exemplar_HWC)]
    content, output, exemplar = styles(torch.from_numpy(np.stack(small)), None)
    return colour_distance(content, exemplar), colour_distance(output, exemplar)


def _rows(survey: Survey) -> Iterator[Row]:
    """Yield the provenance of some units from all over the run."""
    for place in evenly(len(survey.units), OPENED):
        try:
            yield from provenance.read_rows(survey.storage.read(provenance.path_of(survey.units[place])))
        except StylizeError:  # a unit whose inputs all failed has none
            continue


def _grouped(items: Iterable[Item], name: Callable[[Item], str]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[name(item)].append(item)
    return dict(sorted(groups.items()))


def _in_turn(groups: Mapping[str, Sequence[Item]], wanted: int) -> list[Item]:
    """Return up to `wanted` items, the same number of each group while it lasts, spread over the group."""
    taken = dict.fromkeys(groups, 0)
    while sum(taken.values()) < wanted and any(taken[name] < len(groups[name]) for name in groups):
        for name in groups:
            if taken[name] < len(groups[name]) and sum(taken.values()) < wanted:
                taken[name] += 1
    picked = [[group[place] for place in evenly(len(group), taken[name])] for name, group in groups.items()]
    longest = max(map(len, picked), default=0)
    return [group[place] for place in range(longest) for group in picked if place < len(group)]
