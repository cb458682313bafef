"""The worker of `mix`: reads on threads, synthesises in batches of one shape, recolours and writes on threads."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipelines import commits, figures, provenance
from pipelines.batching import Batching
from pipelines.commits import Commit, FileRecord
from pipelines.flow import Stopwatch, prefetch
from pipelines.mixplan import PLAN
from pipelines.provenance import Row
from pipelines.units import Failure, Outcome, Unit
from pipelines.worklist import WorkList, chunks
from stylize import images
from stylize.cache import CacheReader, CacheRow
from stylize.codec import Floats
from stylize.datasets.tree import is_image
from stylize.errors import BadInput, FatalError, NotFound
from stylize.export import encode_picture, resize_label
from stylize.models.bundle import load_bundle
from stylize.render import blend_codes, recolour, render_clipped
from stylize.storage import Storage


@dataclass(frozen=True, kw_only=True)
class MixSpec:
    """How to make a `Mixer` in any process. `styles` is None when the exemplars come from the cache itself."""

    out: Storage
    cache: Storage
    styles: Storage | None
    dataset: Storage
    run: str
    model: str
    storage_options: Mapping[str, Any]
    strength: float
    layers: tuple[int, ...] | None
    resized: bool
    batch_size: int
    device: str | None
    io_threads: int | None

    def create(self) -> Mixer:
        """Load the weights and the plan."""
        return Mixer(self)

    def ids(self, unit: Unit) -> Sequence[str]:
        """Return the content ids of a unit."""
        return [content for content, _ in _by_content(WorkList(self.out.read(PLAN)).rows(unit.index), "id")]


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


@dataclass(frozen=True, kw_only=True)
class Written:
    """A content whose copies are in the output."""

    rows: Sequence[Row]
    files: Sequence[FileRecord]


class Mixer:
    """Makes the pictures of a unit.

    A picture's bytes depend on its pair alone: every pass of the model has the full batch size, and each content sits
    at the place that its position in the unit gives it.
    """

    def __init__(self, spec: MixSpec) -> None:
        self.spec = spec
        self._cache = CacheReader(spec.cache)
        self._styles = CacheReader(spec.styles) if spec.styles else self._cache
        self._bundle = load_bundle(spec.model, device=spec.device, storage_options=spec.storage_options)
        if self._bundle.sha256 != self._cache.info.model_sha256:
            raise FatalError(f"{spec.model} changed since the run began: bring the file back or invert again with it")
        self._work = WorkList(spec.out.read(PLAN))
        self._pool = ThreadPoolExecutor(spec.io_threads or min(8, 2 + (os.cpu_count() or 1)), "mix")
        self._batching = Batching(spec.batch_size, self._bundle.device)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()
        self._batching.close()

    def run(self, unit: Unit) -> Outcome:
        """Make the pictures of a unit, its provenance and its commit record; with `unit.retry` only what failed."""
        watch, begun = Stopwatch(), time.time()
        groups = [rows for _, rows in _by_content(self._work.rows(unit.index), "id")]
        kept = self._kept(unit, watch) if unit.retry else {}
        made, failures = self._make(groups, kept, watch)
        written = [made[rows[0]["id"]] for rows in groups if rows[0]["id"] in made]
        if unit.retry:
            commits.remove(self.spec.out, unit.index)  # its provenance is about to change
        rows = [row for content in written for row in content.rows]
        files = [record for content in written for record in content.files]
        if rows:
            with watch("write"):
                files.append(
                    commits.publish(self.spec.out, provenance.path_of(unit.index), provenance.write_rows(rows))
                )
        commit = Commit(
            run=self.spec.run,
            unit=unit.index,
            rows=len(rows),
            files=tuple(dict.fromkeys(files)),  # pictures that share a label name it once
            failures=failures,
            seconds=watch.seconds,
            figures=figures.tally("shift", (row["shift"] for row in rows)),
            span=(begun, time.time()),
        )
        return commits.write(self.spec.out, commit)

    def _kept(self, unit: Unit, watch: Stopwatch) -> dict[str, Written]:
        """Return what an earlier session wrote, by content id."""
        with watch("read"):
            records = {record.path: record for record in commits.read(self.spec.out, unit.index).files}
            path = provenance.path_of(unit.index)
            rows = provenance.read_rows(self.spec.out.read(path)) if path in records else []
        return {
            content: Written(rows=copies, files=[records[p] for r in copies for p in (r["image"], *r["labels"])])
            for content, copies in _by_content(rows, "content")
        }

    def _make(
        self, groups: Sequence[Sequence[Row]], kept: Mapping[str, Written], watch: Stopwatch
    ) -> tuple[dict[str, Written], tuple[Failure, ...]]:
        """Return the contents by id, those kept and those written now, and what failed, in the order of the plan."""

        # Held here for as long as the unit takes: with large noise maps two shards exceed what the reader keeps.
        with watch("read"):
            cached = {row.id: row for row in self._cache.rows(groups[0][0]["unit"])}

        def load(rows: Sequence[Row]) -> Content | Failure | None:
            return None if rows[0]["id"] in kept else self._load(rows, cached[rows[0]["id"]], watch)

        def finish(item: Synthesis | Failure) -> Written | Failure:
            return item if isinstance(item, Failure) else self._finish(item, watch)

        loaded = prefetch(self._pool, load, groups, ahead=2 * self.spec.batch_size)
        finished = prefetch(self._pool, finish, self._synthesise(loaded, watch), ahead=self.spec.batch_size)
        made, failures = dict(kept), []
        for item in finished:
            if isinstance(item, Failure):
                failures.append(item)
            else:
                made[item.rows[0]["content"]] = item
        return made, tuple(failures)

    def _load(self, rows: Sequence[Row], cached: CacheRow, watch: Stopwatch) -> Content | Failure:
        try:
            return self._read(rows, cached, watch)
        except BadInput as error:
            return Failure(id=rows[0]["id"], kind="bad-input", reason=error.reason)

    def _read(self, rows: Sequence[Row], cached: CacheRow, watch: Stopwatch) -> Content:
        with watch("read"):
            codes = [self._styles.codes(row["exemplar"], row["exemplar_unit"]) for row in rows]
            source = None if self.spec.resized else _present(self.spec.dataset, cached.image)
            labels = {label["source"]: _present(self.spec.dataset, label["source"]) for label in rows[0]["labels"]}
        if source is not None and hashlib.sha256(source).hexdigest() != cached.source_sha256:
            raise BadInput(f"changed picture: {cached.image} is not the file that was inverted; invert it again")
        with watch("decode"):
            labels = {path: self._fitting(path, data, cached) for path, data in labels.items()}
            noise = cached.noise(self._cache.info)
        return Content(
            rows=rows,
            cached=cached,
            codes_LD=cached.codes(self._cache.info),
            noise=noise,
            exemplars_KLD=codes,
            source=source,
            labels=labels,
        )

    def _fitting(self, path: str, data: bytes, cached: CacheRow) -> bytes:
        """Return a label that fits the output; a label picture of another size than its picture is bad input."""
        if not is_image(path):
            return data
        try:
            width, height = images.probe(data)
            resized = resize_label(data, self._cache.info.height, self._cache.info.width) if self.spec.resized else data
        except BadInput as error:
            raise BadInput(f"unreadable label: {path}: {error.reason}") from error
        if (width, height) != (cached.width, cached.height):
            size = f"{width}x{height}, the picture is {cached.width}x{cached.height}"
            raise BadInput(f"label size: {path} is {size}")
        return resized

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
            mixed_BLD = blend_codes(ws_BLD, exemplar_BLD, self.spec.strength, self.spec.layers)
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
            with watch("encode"):
                data = encode_picture(picture_HWC, row["image"])
            with watch("write"):
                picture = commits.publish(self.spec.out, row["image"], data)
                labels = [
                    commits.publish(self.spec.out, label["path"], content.labels[label["source"]])
                    for label in row["labels"]
                ]
            files += [picture, *labels]
            shift = float((styled_CHW - item.base_CHW).abs().mean()) * 127.5
            made = {"height": picture_HWC.shape[0], "width": picture_HWC.shape[1], "shift": shift}
            rows.append(self._provenance(row, content.cached, picture, labels) | made)
        return Written(rows=rows, files=files)

    def _provenance(
        self, row: Row, cached: CacheRow, picture: FileRecord, labels: Sequence[FileRecord]
    ) -> dict[str, Any]:
        same = ("k", "exemplar", "exemplar_source", "exemplar_sha256", "seed")
        return {
            **{name: row[name] for name in same},
            "content": row["id"],
            "content_source": cached.image,
            "strength": self.spec.strength,
            "layers": self.spec.layers,
            "weights": self._bundle.sha256,
            "image": picture.path,
            "labels": [label.path for label in labels],
            "sha256": picture.sha256,
        }


def _by_content(rows: Sequence[Row], column: str) -> list[tuple[str, list[Row]]]:
    return [(content, list(copies)) for content, copies in groupby(rows, key=lambda row: row[column])]


def _present(dataset: Storage, path: str) -> bytes:
    try:
        return dataset.read(path)
    except NotFound as error:
        raise BadInput(f"missing file: {error.reason}") from error


def _stack(arrays: Sequence[Floats]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
