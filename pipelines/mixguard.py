"""The guard of `mix`: what a copy was drawn with, which draws were refused, and what is written in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipelines import figures
from pipelines.provenance import Row
from stylize import images
from stylize.cache import CacheReader
from stylize.guard import Reference
from stylize.images import Pixels
from stylize.reporting import fitted

RESERVE = 2  # further exemplars per copy
SHOWN_WIDTH, SHOWN_QUALITY = 256, 80  # of a refused picture in the provenance
SHOWN_PER_UNIT = 4  # so many refused pictures of a unit are kept for the report
NO_PIXELS: Pixels = np.zeros((0, 0, 3), np.uint8)
_NOTED = ("id", "image", "source_sha256")


@dataclass(frozen=True, kw_only=True)
class Exemplar:
    """An exemplar of the plan: its id and unit in the cache, its file and the hash of that."""

    id: str
    unit: int
    source: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What an exemplar made of a content; `score` is None when there is no guard."""

    exemplar: Exemplar
    picture_HWC: Pixels
    shift: float
    score: float | None


def reference(source_HWC: Pixels, least_score: float) -> Reference | None:
    """Return what copies of a picture are scored against, or None when the guard is off (`least_score` is 0)."""
    return Reference(source_HWC) if least_score else None


class Copy:
    """A copy in the making: it is drawn with one exemplar after the other until it is `settled`.

        while not copy.settled:
            copy.offer(Draw(exemplar=copy.upcoming, ...))

    It is settled by the first draw that reaches `least_score`, or when the reserve is used up: then the best draw is
    kept and flagged. All that follows from the plan alone.
    """

    def __init__(self, row: Row, styles: CacheReader, least_score: float) -> None:
        self.row = row
        self._styles = styles
        self._least_score = least_score
        self._best: Draw | None = None
        self._refused: list[tuple[Draw, bytes]] = []

    @property
    def settled(self) -> bool:
        """Whether no further draw is wanted."""
        return self._best is not None and (not self.flagged or self._tried > len(self.row["reserve"]))

    @property
    def flagged(self) -> bool:
        """Whether the best draw so far is below the threshold."""
        score = self.best.score
        return score is not None and score < self._least_score

    @property
    def best(self) -> Draw:
        """The draw with the highest score so far, the first of equals."""
        if self._best is None:
            raise ValueError("a copy has no draw before the first is offered")
        return self._best

    @property
    def upcoming(self) -> Exemplar:
        """The exemplar of the next draw; one of the reserve is looked up in the cache."""
        row = self.row
        if self._best is None:
            unit, source, sha256 = row["exemplar_unit"], row["exemplar_source"], row["exemplar_sha256"]
            return Exemplar(id=row["exemplar"], unit=unit, source=source, sha256=sha256)
        spare = row["reserve"][self._tried - 1]
        table = self._styles.columns(spare["exemplar_unit"], _NOTED)
        index = table.column("id").index(spare["exemplar"]).as_py()
        source, sha256 = (table.column(name)[index].as_py() for name in ("image", "source_sha256"))
        return Exemplar(id=spare["exemplar"], unit=spare["exemplar_unit"], source=source, sha256=sha256)

    def offer(self, draw: Draw) -> None:
        """Take a draw, and refuse it or the best one before."""
        if self._best is None:
            self._best = draw
            return
        better = (draw.score or 0) > (self._best.score or 0)
        worse, self._best = (self._best, draw) if better else (draw, self._best)
        self._refused.append((replace(worse, picture_HWC=NO_PIXELS), _thumbnail(worse.picture_HWC)))

    @property
    def written_as(self) -> Row:
        """The plan's row with the exemplar that was taken in the end."""
        taken = self.best.exemplar
        names = {"exemplar": taken.id, "exemplar_source": taken.source, "exemplar_sha256": taken.sha256}
        return {**self.row, "exemplar_unit": taken.unit, **names}

    def verdict(self) -> dict[str, Any]:
        """Return what the provenance says about the guard."""
        refused = [
            {
                "exemplar": draw.exemplar.id,
                "exemplar_source": draw.exemplar.source,
                "score": draw.score,
                "picture": thumbnail,
            }
            for draw, thumbnail in self._refused
        ]
        return {"content_score": self.best.score, "redrawn": refused, "flagged": self.flagged}

    def release(self) -> None:
        """Let go of the pixels, once they are written: others of the same content may still be waiting."""
        self._best = replace(self.best, picture_HWC=NO_PIXELS)

    @property
    def _tried(self) -> int:
        return len(self._refused) + (self._best is not None)


def without_most_pictures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return provenance rows of a unit that keep only its first few refused pictures, for the sake of size."""
    left = SHOWN_PER_UNIT
    kept = []
    for row in rows:
        redrawn = []
        for refused in row["redrawn"]:
            redrawn.append({**refused, "picture": refused["picture"] if left > 0 else None})
            left -= refused["picture"] is not None
        kept.append({**row, "redrawn": redrawn})
    return kept


def tally(rows: Sequence[Row]) -> dict[str, float]:
    """Return the figures of a unit: scores in percent, and how many copies were drawn again, and flagged."""
    scores = [row["content_score"] for row in rows if row["content_score"] is not None]
    if not scores:
        return {}
    return {
        **figures.tally("score", (round(100 * score) for score in scores)),
        "redrawn": sum(bool(row["redrawn"]) for row in rows),
        "refused": sum(len(row["redrawn"]) for row in rows) + sum(row["flagged"] for row in rows),
        "flagged": sum(row["flagged"] for row in rows),
    }


def _thumbnail(picture_HWC: Pixels) -> bytes:
    return images.encode(fitted(picture_HWC, SHOWN_WIDTH), "jpeg", quality=SHOWN_QUALITY)
