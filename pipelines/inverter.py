"""The worker of `invert`: reads and decodes on threads, inverts in batches of one shape, writes one shard per unit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipelines import commits, figures
from pipelines.batching import Batching
from pipelines.commits import Commit
from pipelines.crew import LOAD, PASS
from pipelines.flow import AHEAD, Stopwatch, make_crew, prefetch
from pipelines.intake import Picture, load_picture
from pipelines.units import Failure, Outcome, Unit
from pipelines.worklist import WorkList, chunks
from stylize.cache import INPUTS, CacheInfo, CacheRow, read_shard, shard_path, write_shard
from stylize.codec import Floats, decode_noise, encode_noise
from stylize.errors import BadInput, FatalError
from stylize.metrics import psnr
from stylize.models.bundle import load_bundle
from stylize.models.transfer import send
from stylize.storage import Storage

Packed = list[tuple[bytes, Floats]]  # blob and scales of each noise map
_EMPTY = torch.empty(0)


@dataclass(frozen=True, kw_only=True)
class InvertSpec:
    """How to make an `Inverter` in any process. `labelled` are the splits in which every picture must have a label."""

    dataset: Storage
    cache: Storage
    run: str
    model: str
    storage_options: Mapping[str, Any]
    info: CacheInfo
    labelled: tuple[str, ...]
    batch_size: int
    precision: str
    device: str | None
    io_threads: int | None

    def create(self) -> Inverter:
        """Load the weights and the work list."""
        return Inverter(self)

    def ids(self, unit: Unit) -> Sequence[str]:
        """Return the input ids of a unit."""
        return [row["id"] for row in WorkList(self.cache.read(INPUTS)).rows(unit.index)]


@dataclass(kw_only=True)
class Batch:
    """Pictures by their place in the batch, and what has become of them so far."""

    pictures: Mapping[int, Picture]
    failures: list[Failure]
    images_BCHW: Tensor = _EMPTY
    ws_BLD: Tensor = _EMPTY
    plain_B: Tensor = _EMPTY  # PSNR before packing
    noise: list[Tensor] = field(default_factory=list)  # of the model; once packed, as they are stored
    packed: dict[int, Packed] = field(default_factory=dict)


class Inverter:
    """Makes shards of a cache.

    A row's bytes depend on its picture alone: every pass of the model has the full batch size, each picture sits at the
    place that its position in the unit gives it, and the places of missing ones are left grey.
    """

    def __init__(self, spec: InvertSpec) -> None:
        self.spec = spec
        self._bundle = load_bundle(
            spec.model, device=spec.device, storage_options=spec.storage_options, precision=spec.precision
        )
        if self._bundle.sha256 != spec.info.model_sha256:
            raise FatalError(f"{spec.model} changed since the run began: bring the file back or use another cache")
        self._work = WorkList(spec.cache.read(INPUTS))
        self._crew = make_crew(spec.io_threads)
        self._batching = Batching(spec.batch_size, self._bundle.device, self._crew)

    def close(self) -> None:
        """Stop the threads."""
        self._crew.shutdown()
        self._batching.close()

    def run(self, unit: Unit) -> Outcome:
        """Make a shard and its commit record; with `unit.retry` only the rows that failed before."""
        watch, begun = Stopwatch(self._crew), time.time()
        inputs = self._work.rows(unit.index)
        kept = self._kept(unit, watch) if unit.retry else {}
        made, failures = self._make(inputs, kept, watch)
        rows = [made[row["id"]] for row in inputs if row["id"] in made]
        if unit.retry:
            commits.remove(self.spec.cache, unit.index)  # its shard is about to change
        files = self._publish(unit, rows, watch)
        commit = Commit(
            run=self.spec.run,
            unit=unit.index,
            rows=len(rows),
            files=files,
            failures=failures,
            seconds=watch.seconds,
            figures=self._figures(rows),
            span=(begun, time.time()),
        )
        return commits.write(self.spec.cache, commit)

    def _kept(self, unit: Unit, watch: Stopwatch) -> dict[str, CacheRow]:
        """Return the good rows of an earlier session by id."""
        with watch("read"):
            earlier = commits.read(self.spec.cache, unit.index)
            shards = [self.spec.cache.read(file.path) for file in earlier.files]
        return {row.id: row for shard in shards for row in read_shard(shard)}

    def _make(
        self, inputs: Sequence[Mapping[str, Any]], kept: Mapping[str, CacheRow], watch: Stopwatch
    ) -> tuple[dict[str, CacheRow], tuple[Failure, ...]]:
        """Return the rows by id, those kept and those made now, and the failures in the order of the inputs."""
        made, failures = dict(kept), []

        def load(row: Mapping[str, Any]) -> Picture | Failure | None:
            return None if row["id"] in kept else self._load(row, watch)

        def make(batch: Sequence[Picture | Failure | None]) -> list[CacheRow | Failure]:
            return self._rows(self._pack(self._invert(batch, watch), watch), watch)

        # Several batches in hand: while one is packed the next one is in the model, which never waits for it.
        loaded = prefetch(self._crew.turn(LOAD), load, inputs, ahead=AHEAD * self.spec.batch_size)
        batches = chunks(loaded, self.spec.batch_size)
        passes = self._batching.passes.turn(PASS)
        for items in prefetch(passes, make, batches, ahead=self._batching.ahead):
            for item in items:
                if isinstance(item, Failure):
                    failures.append(item)
                else:
                    made[item.id] = item
        return made, tuple(sorted(failures, key=lambda failure: failure.id))

    def _load(self, row: Mapping[str, Any], watch: Stopwatch) -> Picture | Failure:
        try:
            labelled = row["split"] in self.spec.labelled
            return load_picture(self.spec.dataset, row, self.spec.info, labelled=labelled, watch=watch)
        except BadInput as error:
            return Failure(id=row["id"], kind="bad-input", reason=error.reason)

    def _invert(self, batch: Sequence[Picture | Failure | None], watch: Stopwatch) -> Batch:
        """Return a batch with its codes, noise maps and reconstruction."""
        pictures = {place: item for place, item in enumerate(batch) if isinstance(item, Picture)}
        made = Batch(pictures=pictures, failures=[item for item in batch if isinstance(item, Failure)])
        if pictures:
            made.images_BCHW = self._stack({place: picture.image_CHW for place, picture in pictures.items()})
            with self._batching.passing(watch):
                made.ws_BLD, *made.noise, made.plain_B = self._batching(self._encode, made.images_BCHW)
        return made

    def _pack(self, batch: Batch, watch: Stopwatch) -> Batch:
        """Pack the noise maps of a batch, and unpack them as a reader of the cache will see them."""
        if not batch.pictures:
            return batch
        with watch("encode"):
            for place, picture in batch.pictures.items():
                try:
                    maps = [maps_BCHW[place].numpy() for maps_BCHW in batch.noise]
                    batch.packed[place] = [encode_noise(noise_CHW, self.spec.info.noise) for noise_CHW in maps]
                except BadInput as error:
                    batch.failures.append(Failure(id=picture.row["id"], kind="bad-input", reason=error.reason))
            batch.noise = [self._restore(batch.packed, index) for index in range(len(batch.noise))]
        return batch

    def _rows(self, batch: Batch, watch: Stopwatch) -> list[CacheRow | Failure]:
        """Measure the reconstruction from what is stored, and return the rows and failures of a batch."""
        if not batch.packed:
            return [*batch.failures]
        with self._batching.passing(watch):
            (psnr_B,) = self._batching(self._quality, batch.images_BCHW, batch.ws_BLD, *batch.noise)
        rows = (
            _row(batch.pictures[place], batch.ws_BLD[place], packed, float(psnr_B[place]), float(batch.plain_B[place]))
            for place, packed in batch.packed.items()
        )
        return [*batch.failures, *rows]

    def _encode(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Return codes, noise maps and the PSNR of their reconstruction."""
        codes = self._bundle.invert(images_BCHW)
        return codes.ws_BLD, *codes.noise, *self._quality(images_BCHW, codes.ws_BLD, *codes.noise)

    def _quality(self, images_BCHW: Tensor, ws_BLD: Tensor, *noise: Tensor) -> tuple[Tensor]:
        rendered_BCHW = self._bundle.render(ws_BLD, noise).clamp(-1, 1)  # as any picture file would clip it
        return (psnr(rendered_BCHW, send(images_BCHW, rendered_BCHW.device)),)

    def _stack(self, arrays: Mapping[int, Floats]) -> Tensor:
        """Return a full batch with the arrays at their places and zeros elsewhere."""
        shape = next(iter(arrays.values())).shape
        batch = np.zeros((self.spec.batch_size, *shape), np.float32)
        for place, array in arrays.items():
            batch[place] = array
        return torch.from_numpy(batch)

    def _restore(self, packed: Mapping[int, Packed], index: int) -> Tensor:
        """Return one of the noise maps of a batch, unpacked."""
        shape, mode = self.spec.info.noise_shapes[index], self.spec.info.noise
        maps = {place: decode_noise(*blobs[index], shape, mode) for place, blobs in packed.items()}
        return self._stack(maps or {0: np.zeros(shape, np.float32)})

    def _publish(self, unit: Unit, rows: Sequence[CacheRow], watch: Stopwatch) -> tuple[commits.FileRecord, ...]:
        if not rows:
            return ()
        with watch("encode"):
            data = write_shard(rows, self.spec.info)
        with watch("write"):
            return (commits.publish(self.spec.cache, shard_path(unit.index), data),)

    def _figures(self, rows: Sequence[CacheRow]) -> dict[str, float]:
        info = self.spec.info
        floats = info.num_ws * info.w_dim + sum(int(np.prod(shape)) for shape in info.noise_shapes)
        return {
            **figures.tally("psnr", (row.psnr for row in rows)),
            **figures.tally("psnr_fp32", (row.psnr_fp32 for row in rows)),
            "raw_bytes": 4 * floats * len(rows),
        }


def _row(picture: Picture, codes_LD: Tensor, packed: Packed, quality: float, before: float) -> CacheRow:
    (noise_0, scale_0), (noise_1, scale_1) = packed
    return CacheRow(
        **{**picture.row, "labels": tuple(picture.row["labels"])},
        source_sha256=picture.sha256,
        height=picture.height,
        width=picture.width,
        psnr=quality,
        psnr_fp32=before,
        w_plus=codes_LD.numpy().astype("<f4").tobytes(),
        scale_0=scale_0.tobytes(),
        scale_1=scale_1.tobytes(),
        noise_0=noise_0,
        noise_1=noise_1,
    )
