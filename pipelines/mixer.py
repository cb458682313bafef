"""The worker of `mix`: reads on threads, synthesises in batches of one shape, recolours and writes on threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipelines.batching import Batching
from pipelines.crew import FINISH, LOAD, PASS, Turn
from pipelines.flow import AHEAD, Stopwatch, prefetch
from pipelines.mixfiles import fitting, read_labels, read_source
from pipelines.mixguard import Copy, Draw, reference
from pipelines.mixwork import MixWorker, MixWorkSpec, Written, WrittenCopy, together
from pipelines.provenance import Row
from pipelines.units import Failure
from pipelines.worklist import chunks
from stylize import images
from stylize.cache import CacheReader, CacheRow
from stylize.codec import Floats
from stylize.cover import Scene
from stylize.errors import BadInput, FatalError
from stylize.guard import Reference
from stylize.images import Pixels
from stylize.methods import STYLIZATION
from stylize.models.bundle import load_bundle
from stylize.render import blend_codes, recolour, render_clipped


@dataclass(frozen=True, kw_only=True)
class MixSpec(MixWorkSpec):
    """How to make a `Mixer` in any process."""

    model: str
    storage_options: Mapping[str, Any]
    layers: tuple[int, ...] | None
    resized: bool
    batch_size: int
    precision: str
    device: str | None

    def create(self) -> Mixer:
        """Load the weights and the plan."""
        return Mixer(self)


@dataclass(frozen=True, kw_only=True)
class Content:
    """A content picture that was read: its plan rows (one per copy), codes, and the files that go along."""

    rows: Sequence[Row]
    cached: CacheRow
    codes_LD: Floats
    noise: tuple[Floats, Floats]
    exemplars_KLD: Sequence[Floats]
    source: bytes | None
    labels: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """A content with its pictures at model size, in its own style and in the exemplar's of each copy.

    `place` is the one that its position in the unit gives it in a batch.
    """

    content: Content
    place: int
    base_CHW: Tensor
    styled_KCHW: Tensor


@dataclass(frozen=True, kw_only=True)
class Making:
    """A content whose copies are being made; `written` holds those that are settled, by k."""

    content: Content
    place: int
    base_CHW: Tensor
    unmoved: Reference | None
    scene: Scene | None
    copies: Sequence[Copy]
    written: dict[int, WrittenCopy] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    @property
    def open(self) -> list[Copy]:
        """The copies that were refused and are to be drawn again."""
        return [] if self.failures else [copy for copy in self.copies if not copy.settled]

    def close(self) -> Written | Failure:
        """Return the content, all of whose copies are written, or why they could not all be made."""
        return self.failures[0] if self.failures else together([self.written[k] for k in sorted(self.written)])


Redraw = tuple[Making, Copy]


class Mixer(MixWorker):
    """Synthesises each content in the style of its exemplars.

    A picture's bytes depend on its pair alone: every pass of the model has the full batch size, and each content sits
    at the place that its position in the unit gives it.
    """

    def __init__(self, spec: MixSpec) -> None:
        super().__init__(spec)
        self.spec = spec
        self._cache = CacheReader(spec.cache)
        self._styles = CacheReader(spec.styles) if spec.styles else self._cache
        self._bundle = load_bundle(
            spec.model, device=spec.device, storage_options=spec.storage_options, precision=spec.precision
        )
        self._batching = Batching(spec.batch_size, self._bundle.device, self._crew)
        if self._bundle.sha256 != self._cache.info.model_sha256:
            raise FatalError(f"{spec.model} changed since the run began: bring the file back or invert again with it")

    def close(self) -> None:
        """Stop the threads."""
        super().close()
        self._batching.close()

    def pictures(
        self, groups: Sequence[Sequence[Row]], kept: frozenset[str], watch: Stopwatch
    ) -> Iterator[Written | Failure]:
        """Write the copies of the contents of a unit, in the order of the plan, but for those that were `kept`."""
        # Held here for as long as the unit takes: with large noise maps two shards exceed what the reader keeps.
        with watch("read"):
            cached = {row.id: row for row in self._cache.rows(groups[0][0]["unit"])}

        def load(rows: Sequence[Row]) -> Content | Failure | None:
            return None if rows[0]["id"] in kept else self._load(rows, cached[rows[0]["id"]], watch)

        def finish(item: Synthesis | Failure) -> Making | Failure:
            return item if isinstance(item, Failure) else self._finish(item, watch)

        def synthesise(batch: Sequence[Content | Failure | None]) -> list[Synthesis | Failure]:
            return self._synthesise(batch, watch)

        turn, size = self._crew.turn(FINISH), self.spec.batch_size
        loaded = prefetch(self._crew.turn(LOAD), load, groups, ahead=AHEAD * size)
        passes = self._batching.passes.turn(PASS)
        batches = prefetch(passes, synthesise, chunks(loaded, size), ahead=self._batching.ahead)
        refused: list[Making] = []
        for item in prefetch(turn, finish, chain.from_iterable(batches), ahead=size):
            if isinstance(item, Failure):
                yield item
            elif item.open:
                refused.append(item)
            else:
                yield item.close()
            if len(refused) == self.spec.batch_size:  # they hold noise maps, and must not pile up
                yield from self._redraw(refused, turn, watch)
                refused = []
        yield from self._redraw(refused, turn, watch)

    def _load(self, rows: Sequence[Row], cached: CacheRow, watch: Stopwatch) -> Content | Failure:
        try:
            return self._read(rows, cached, watch)
        except BadInput as error:
            return Failure(id=rows[0]["id"], kind="bad-input", reason=error.reason)

    def _read(self, rows: Sequence[Row], cached: CacheRow, watch: Stopwatch) -> Content:
        info = self._cache.info
        with watch("read"):
            codes = [self._styles.codes(row["exemplar"], row["exemplar_unit"]) for row in rows]
            labels = read_labels(self.spec.dataset, rows[0])
            source = None if self.spec.resized else read_source(self.spec.dataset, cached)
        self.weather.read(rows, info.height if self.spec.resized else cached.height, watch)
        with watch("decode"):
            size = (info.height, info.width) if self.spec.resized else None
            labels = {path: fitting(path, data, cached, size) for path, data in labels.items()}
            noise = cached.noise(info)
        return Content(
            rows=rows,
            cached=cached,
            codes_LD=cached.codes(info),
            noise=noise,
            exemplars_KLD=codes,
            source=source,
            labels=labels,
        )

    def _synthesise(self, batch: Sequence[Content | Failure | None], watch: Stopwatch) -> list[Synthesis | Failure]:
        """Return the contents of a batch with their syntheses, after what failed."""
        found: list[Synthesis | Failure] = [item for item in batch if isinstance(item, Failure)]
        contents = [item if isinstance(item, Content) else None for item in batch]
        present = [content for content in contents if content is not None]
        if not present:
            return found
        filled = [content or present[0] for content in contents]
        filled += [present[0]] * (self.spec.batch_size - len(filled))
        with self._batching.passing(watch):
            base_BCHW, *styled = self._render(filled)
        for place, content in enumerate(contents):
            if content is not None:
                styled_KCHW = torch.stack([copy_BCHW[place] for copy_BCHW in styled])
                found.append(
                    Synthesis(content=content, place=place, base_CHW=base_BCHW[place], styled_KCHW=styled_KCHW)
                )
        return found

    def _render(self, contents: Sequence[Content]) -> list[Tensor]:
        """Return the pictures of a batch in their own style, then in that of each copy's exemplar."""
        ws_BLD = _stack([content.codes_LD for content in contents])
        styles = [ws_BLD]
        for k in range(len(contents[0].rows)):
            exemplar_BLD = _stack([content.exemplars_KLD[k] for content in contents])
            styles.append(self._mixed(ws_BLD, exemplar_BLD, [content.rows[k] for content in contents]))
        return list(self._batching(self._passes, *styles, *_noise(contents)))

    def _mixed(self, ws_BLD: Tensor, exemplar_BLD: Tensor, rows: Sequence[Row]) -> Tensor:
        strength_B = torch.tensor([row["strength"] for row in rows])
        return blend_codes(ws_BLD, exemplar_BLD, strength_B, self.spec.layers)

    def _passes(self, *batch: Tensor) -> tuple[Tensor, ...]:
        """Return the pictures of a batch in each style; its codes by style come first, then its two noise maps."""
        *styles, noise_0, noise_1 = batch
        return tuple(render_clipped(self._bundle, ws_BLD, (noise_0, noise_1)) for ws_BLD in styles)

    def _finish(self, item: Synthesis, watch: Stopwatch) -> Making:
        """Recolour and score the copies of a content; write those that are settled."""
        content = item.content
        source_HWC = self._source(content, watch)
        with watch("score"):
            base_HWC = images.from_model(item.base_CHW.numpy()) if source_HWC is None else source_HWC
            unmoved = reference(base_HWC, self.spec.least_score)
        scene = self.weather.scene(base_HWC, watch)
        copies = [Copy(row, self._styles, self.spec.least_score) for row in content.rows]
        making = Making(
            content=content, place=item.place, base_CHW=item.base_CHW, unmoved=unmoved, scene=scene, copies=copies
        )
        for copy, styled_CHW in zip(copies, item.styled_KCHW, strict=True):
            self._offer(making, copy, styled_CHW, source_HWC, watch)
        return making

    def _redraw(self, refused: Sequence[Making], turn: Turn, watch: Stopwatch) -> Iterator[Written | Failure]:
        """Draw the refused copies with one exemplar of their reserves after the other, and yield their contents."""

        def finish(redraw: tuple[Making, Copy, Tensor]) -> None:
            making, copy, styled_CHW = redraw
            try:
                self._offer(making, copy, styled_CHW, self._source(making.content, watch), watch)
            except BadInput as error:  # the exemplar's picture, whose grain is wanted
                making.failures.append(Failure(id=copy.row["id"], kind="bad-input", reason=error.reason))

        while redraws := [(making, copy) for making in refused for copy in making.open]:
            for batch in _by_place(redraws, self.spec.batch_size):
                styled = self._render_again(batch, watch)
                list(prefetch(turn, finish, styled, ahead=self.spec.batch_size))
        yield from (making.close() for making in refused)

    def _render_again(self, batch: Sequence[Redraw | None], watch: Stopwatch) -> list[tuple[Making, Copy, Tensor]]:
        """Return the redraws of a batch with their pictures; empty places are filled like those of any batch."""
        first = next(redraw for redraw in batch if redraw is not None)
        filled = [redraw or first for redraw in batch]
        contents = [making.content for making, _ in filled]
        with watch("read"):
            exemplars = [copy.upcoming for _, copy in filled]
            exemplar_BLD = _stack([self._styles.codes(exemplar.id, exemplar.unit) for exemplar in exemplars])
        ws_BLD = _stack([content.codes_LD for content in contents])
        with self._batching.passing(watch):
            mixed_BLD = self._mixed(ws_BLD, exemplar_BLD, [copy.row for _, copy in filled])
            (styled_BCHW,) = self._batching(self._passes, mixed_BLD, *_noise(contents))
        return [(*redraw, styled_BCHW[place]) for place, redraw in enumerate(batch) if redraw is not None]

    def _source(self, content: Content, watch: Stopwatch) -> Pixels | None:
        with watch("decode"):
            return None if content.source is None else images.decode_rgb(content.source)

    def _offer(
        self, making: Making, copy: Copy, styled_CHW: Tensor, source_HWC: Pixels | None, watch: Stopwatch
    ) -> None:
        """Recolour a draw, score it, and write its copy if that settles it."""
        with watch("recolour"):
            if source_HWC is None:
                content_HWC = images.from_model(making.base_CHW.numpy())
                picture_HWC = images.from_model(styled_CHW.numpy())
            else:
                content_HWC = source_HWC
                picture_HWC = recolour(source_HWC, making.base_CHW, styled_CHW)
            shift = float((styled_CHW - making.base_CHW).abs().mean()) * 127.5
        picture_HWC = self.weather.add(picture_HWC, making.scene, copy, watch)
        with watch("score"):
            score = making.unmoved.score(picture_HWC) if making.unmoved else None
        picture_HWC = self.weather.uneven(picture_HWC, content_HWC, copy, watch)
        copy.offer(Draw(exemplar=copy.upcoming, picture_HWC=picture_HWC, shift=shift, score=score))
        if copy.settled:
            how = {"method": STYLIZATION, "layers": self.spec.layers, "weights": self._bundle.sha256}
            content = making.content
            making.written[copy.row["k"]] = self.write_copy(copy, content.cached, content.labels, how, watch)


def _by_place(redraws: Sequence[Redraw], size: int) -> Iterator[list[Redraw | None]]:
    """Yield batches in which every content sits at its own place, whichever others were refused."""
    queues: list[list[Redraw]] = [[] for _ in range(size)]
    for redraw in redraws:
        queues[redraw[0].place].append(redraw)
    return (list(batch) for batch in zip_longest(*queues))


def _noise(contents: Sequence[Content]) -> list[Tensor]:
    return [_stack([content.noise[index] for content in contents]) for index in range(2)]


def _stack(arrays: Sequence[Floats]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
