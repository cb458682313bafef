"""The worker of `mix`: reads on threads, synthesises in batches of one shape, recolours and writes on threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipelines.batching import Batching
from pipelines.flow import Stopwatch, prefetch
from pipelines.mixwork import MixWorker, MixWorkSpec, Written, copy_row, fitting, read_labels, read_source
from pipelines.provenance import Row
from pipelines.units import Failure
from pipelines.worklist import chunks
from stylize import images
from stylize.cache import CacheReader, CacheRow
from stylize.codec import Floats
from stylize.errors import BadInput, FatalError
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
    """A content with its pictures at model size, in its own style and in the exemplar's of each copy."""

    content: Content
    base_CHW: Tensor
    styled_KCHW: Tensor


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
        self._bundle = load_bundle(spec.model, device=spec.device, storage_options=spec.storage_options)
        if self._bundle.sha256 != self._cache.info.model_sha256:
            raise FatalError(f"{spec.model} changed since the run began: bring the file back or invert again with it")
        self._batching = Batching(spec.batch_size, self._bundle.device)

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

        def finish(item: Synthesis | Failure) -> Written | Failure:
            return item if isinstance(item, Failure) else self._finish(item, watch)

        loaded = prefetch(self._pool, load, groups, ahead=2 * self.spec.batch_size)
        yield from prefetch(self._pool, finish, self._synthesise(loaded, watch), ahead=self.spec.batch_size)

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

    def _synthesise(
        self, loaded: Iterator[Content | Failure | None], watch: Stopwatch
    ) -> Iterator[Synthesis | Failure]:
        """Yield contents with their syntheses, and failures as they come, batch by batch."""
        for batch in chunks(loaded, self.spec.batch_size):
            yield from (item for item in batch if isinstance(item, Failure))
            contents = [item if isinstance(item, Content) else None for item in batch]
            present = [content for content in contents if content is not None]
            if not present:
                continue
            filled = [content or present[0] for content in contents]
            filled += [present[0]] * (self.spec.batch_size - len(filled))
            with self._batching.gate, watch("model"):
                base_BCHW, *styled = self._render(filled)
            for place, content in enumerate(contents):
                if content is not None:
                    styled_KCHW = torch.stack([copy_BCHW[place] for copy_BCHW in styled])
                    yield Synthesis(content=content, base_CHW=base_BCHW[place], styled_KCHW=styled_KCHW)

    def _render(self, contents: Sequence[Content]) -> list[Tensor]:
        """Return the pictures of a batch in their own style, then in that of each copy's exemplar."""
        ws_BLD = _stack([content.codes_LD for content in contents])
        noise = [_stack([content.noise[index] for content in contents]) for index in range(2)]
        (base_BCHW,) = self._batching(self._pass, ws_BLD, *noise)
        pictures = [base_BCHW]
        for k in range(len(contents[0].rows)):
            exemplar_BLD = _stack([content.exemplars_KLD[k] for content in contents])
            strength_B = torch.tensor([content.rows[k]["strength"] for content in contents])
            mixed_BLD = blend_codes(ws_BLD, exemplar_BLD, strength_B, self.spec.layers)
            pictures += self._batching(self._pass, mixed_BLD, *noise)
        return pictures

    def _pass(self, ws_BLD: Tensor, *noise: Tensor) -> tuple[Tensor]:
        return (render_clipped(self._bundle, ws_BLD, noise),)

    def _finish(self, item: Synthesis, watch: Stopwatch) -> Written:
        """Recolour, encode and write the copies of a content with their labels."""
        content, rows, files = item.content, [], []
        with watch("decode"):
            source_HWC = None if content.source is None else images.decode_rgb(content.source)
        for row, styled_CHW in zip(content.rows, item.styled_KCHW, strict=True):
            with watch("recolour"):
                if source_HWC is None:
                    picture_HWC = images.from_model(styled_CHW.numpy())
                else:
                    picture_HWC = recolour(source_HWC, item.base_CHW, styled_CHW)
            picture, labels = self.write_copy(row, picture_HWC, content.labels, watch)
            files += [picture, *labels]
            shift = float((styled_CHW - item.base_CHW).abs().mean()) * 127.5
            made = {"height": picture_HWC.shape[0], "width": picture_HWC.shape[1], "shift": shift}
            how = {"method": STYLIZATION, "layers": self.spec.layers, "weights": self._bundle.sha256}
            rows.append(copy_row(row, content.cached, picture, labels) | how | made)
        return Written(rows=rows, files=files)


def _stack(arrays: Sequence[Floats]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
