"""The worker of `mix` for baselines: content and exemplar pictures in, no generator, no codes, all on threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.crew import FINISH
from pipelines.flow import Stopwatch, prefetch
from pipelines.mixfiles import fitting, read_labels, read_source
from pipelines.mixguard import Copy, Draw, reference
from pipelines.mixwork import MixWorker, MixWorkSpec, Written, WrittenCopy, together
from pipelines.provenance import Row
from pipelines.units import Failure
from stylize import images
from stylize.cache import CacheReader
from stylize.cover import Scene
from stylize.errors import BadInput
from stylize.guard import Reference
from stylize.images import Pixels
from stylize.methods import blend, load_method, weights_sha256

_NOTED = ("id", "split", "key", "image", "source_sha256", "height", "width")


@dataclass(frozen=True, kw_only=True)
class TransferSpec(MixWorkSpec):
    """How to make a `Transferer` in any process."""

    method: str

    def create(self) -> Transferer:
        """Load the method and the plan."""
        return Transferer(self)


@dataclass(frozen=True, kw_only=True)
class Noted:
    """What the cache has noted of a content picture's file."""

    id: str
    split: str
    key: str
    image: str
    source_sha256: str
    height: int
    width: int


class Transferer(MixWorker):
    """Gives each content the style of its exemplars by a function of the two pictures."""

    def __init__(self, spec: TransferSpec) -> None:
        super().__init__(spec)
        self.spec = spec
        self._cache = CacheReader(spec.cache)
        self._styles = CacheReader(spec.styles) if spec.styles else self._cache
        self._method, self._weights = load_method(spec.method), weights_sha256(spec.method)

    def pictures(
        self, groups: Sequence[Sequence[Row]], kept: frozenset[str], watch: Stopwatch
    ) -> Iterator[Written | Failure]:
        """Write the copies of the contents of a unit, in the order of the plan, but for those that were `kept`."""
        with watch("read"):
            table = self._cache.columns(groups[0][0]["unit"], _NOTED).select(_NOTED)
            noted = {row["id"]: Noted(**row) for row in table.to_pylist()}

        def make(rows: Sequence[Row]) -> Written | Failure:
            try:
                return self._make(rows, noted[rows[0]["id"]], watch)
            except BadInput as error:
                return Failure(id=rows[0]["id"], kind="bad-input", reason=error.reason)

        wanted = [rows for rows in groups if rows[0]["id"] not in kept]
        return prefetch(self._crew.turn(FINISH), make, wanted, ahead=self._crew.size)

    def _make(self, rows: Sequence[Row], noted: Noted, watch: Stopwatch) -> Written:
        """Read a content, and write its copies with their labels."""
        with watch("read"):
            data = read_source(self.spec.dataset, noted)
            labels = read_labels(self.spec.dataset, rows[0])
        with watch("decode"):
            content_HWC = images.decode_rgb(data)
            labels = {path: fitting(path, label, noted) for path, label in labels.items()}
        with watch("score"):
            unmoved = reference(content_HWC, self.spec.least_score)
        scene = self.weather.scene(content_HWC, watch)
        return together([self._copy(row, noted, content_HWC, unmoved, scene, labels, watch) for row in rows])

    def _copy(
        self,
        row: Row,
        noted: Noted,
        content_HWC: Pixels,
        unmoved: Reference | None,
        scene: Scene | None,
        labels: Mapping[str, bytes],
        watch: Stopwatch,
    ) -> WrittenCopy:
        copy = Copy(row, self._styles, self.spec.least_score)
        while not copy.settled:
            exemplar = copy.upcoming
            exemplar_HWC = self.exemplars.read(exemplar.source, exemplar.sha256, watch)
            with watch("transfer"):
                picture_HWC = blend(content_HWC, self._method(content_HWC, exemplar_HWC), row["strength"])
            picture_HWC = self.weather.add(picture_HWC, scene, copy, watch)
            with watch("transfer"):
                shift = float(np.abs(picture_HWC.astype(np.int16) - content_HWC).mean())
            with watch("score"):
                score = unmoved.score(picture_HWC) if unmoved else None
            picture_HWC = self.weather.uneven(picture_HWC, content_HWC, copy, watch)
            copy.offer(Draw(exemplar=exemplar, picture_HWC=picture_HWC, shift=shift, score=score))
        how = {"method": self.spec.method, "layers": None, "weights": self._weights}
        return self.write_copy(copy, noted, labels, how, watch)
