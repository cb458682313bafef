"""The evaluation of a cache: how close pictures come back from their codes and noise maps, one by one and as a set."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.backbone import backbone, roomy
from pipelines.evaluation import Course, Evaluation, check
from pipelines.events import Event
from pipelines.events import ignore as silence
from pipelines.worklist import chunks
from stylize.cache import CacheReader, CacheRow
from stylize.datasets.base import split_names
from stylize.errors import BadInput, ConfigurationError
from stylize.evaluation.features import Inception
from stylize.evaluation.reconstruction import Cached, ReconstructionJudge
from stylize.evaluation.tables import Distribution, finite, publish_json, table
from stylize.images import decode_rgb, to_model
from stylize.models.bundle import Bundle, load_bundle
from stylize.models.perceptual import LpipsDistance
from stylize.storage import Storage


@dataclass(frozen=True, kw_only=True)
class ReconstructionScore(Evaluation):
    """How close reconstructions are, by measure; pictures are compared at the size of the model, in [-1, 1].

    `measures` holds mean squared error, PSNR in dB, SSIM, and LPIPS or the EfficientNet distance, by name. `frechet` is
    the Frechet distance between the sets of pictures and of reconstructions, by the network whose features it is on.
    """

    cache: str
    model: str
    size: tuple[int, int]
    measures: Mapping[str, Distribution]
    frechet: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "cache": self.cache,
            "model": self.model,
            "size": list(self.size),
            "measures": {name: values.as_dict() for name, values in self.measures.items()},
            "frechet_distance": finite(self.frechet),
            **super().as_dict(),
        }


def evaluate_reconstruction(
    cache: str | os.PathLike[str],
    *,
    dataset: str | os.PathLike[str] | None = None,
    model: str | None = None,
    split: str | None = None,
    limit: int | None = None,
    lpips_trunk: str | os.PathLike[str] | None = None,
    inception: str | os.PathLike[str] | None = None,
    batch_size: int = 8,
    device: str | None = None,
    json: str | os.PathLike[str] | None = None,
    csv: str | os.PathLike[str] | None = None,
    max_failures: int = 0,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] = silence,
) -> ReconstructionScore:
    """Compare the pictures of a cache with what the model makes of their codes and noise maps.

    Args:
        cache: what `invert` wrote, a folder or URL.
        dataset, model: where the cache's dataset and bundle are now, if not where they were.
        split, limit: which pictures; several splits are separated by commas.
        lpips_trunk: torchvision's VGG16 weights for LPIPS; without them the distance of EfficientNet-Lite0 features.
        inception: the TorchScript file inception-2015-12-05.pt, for FID; without it the Frechet distance is on
            EfficientNet-Lite0 features, goes by their name, and is not to be compared with published FIDs.
        batch_size: pictures per pass of the networks.
        device: torch device; by default the GPU if there is one.
        json, csv: files or URLs for the result, and for a table of one row per picture.
        max_failures: with more failed pictures than this the exit code of the score is 3.
        storage_options: passed to fsspec for all URLs.

    Raises:
        ConfigurationError: this is no finished cache, or dataset or model are not the cache's.
        FatalError: weights are missing or are not what they should be.
    """
    check(limit=limit, max_failures=max_failures, batch_size=batch_size)
    reader = CacheReader(Storage(cache, storage_options))
    source = Storage(dataset or reader.run["sources"]["dataset"], storage_options)
    bundle = _bundle(reader, model, device, storage_options)
    judge = ReconstructionJudge(
        bundle,
        backbone=backbone(bundle.device, on_event, "no EfficientNet distance and no Frechet distance on its features"),
        lpips=None if lpips_trunk is None else LpipsDistance(Path(lpips_trunk)).to(bundle.device),
        inception=None if inception is None else Inception(Path(inception), bundle.device),
    )
    wanted = _Wanted(reader, split, limit)
    columns = ("id", "image", *judge.measures)
    with table(csv, columns, storage_options) as add, roomy():
        course = Course(
            kind="evaluate reconstruction", total=wanted.count, on_event=on_event, max_failures=max_failures
        )
        read = course.measured(_Reader(reader, source), wanted.rows(), lambda row: row.id, ahead=2 * batch_size)
        for batch in chunks(read, batch_size):
            found = judge([read for _, read in batch])
            for index, (row, _) in enumerate(batch):
                course.done()
                add({"id": row.id, "image": row.image, **{name: values[index] for name, values in found.items()}})
        ended = course.ended()
    score = ReconstructionScore(
        **ended,
        cache=reader.storage.url,
        model=bundle.name,
        size=(reader.info.height, reader.info.width),
        measures=judge.measures,
        frechet=judge.frechet(),
    )
    if json is not None:
        publish_json(json, score.as_dict(), storage_options)
    return score


class _Wanted:
    """The rows of a cache that are asked for."""

    def __init__(self, reader: CacheReader, split: str | None, limit: int | None) -> None:
        self._reader, self._limit = reader, limit
        self._splits = None if split is None else split_names(split)
        present: set[str] = set()
        self.count = 0
        for entry in reader.entries():
            present.add(entry.split)
            self.count += self._splits is None or entry.split in self._splits
        if self._splits is not None and not self._splits <= present:
            names = ", ".join(sorted(filter(None, present))) or "no splits at all"
            raise ConfigurationError(f"no split {split!r} in {reader.storage.url}: --split can be {names}")
        self.count = self.count if limit is None else min(self.count, limit)

    def rows(self) -> Iterator[CacheRow]:
        """Yield the rows in order."""
        left = self.count
        for unit in range(self._reader.units):
            for row in self._reader.rows(unit) if left else ():
                if left and (self._splits is None or row.split in self._splits):
                    left -= 1
                    yield row


class _Reader:
    """Reads what belongs to a row of a cache; a picture that is gone or was changed is bad input."""

    def __init__(self, reader: CacheReader, source: Storage) -> None:
        self._reader, self._source = reader, source

    def __call__(self, row: CacheRow) -> Cached:
        data = self._source.read(row.image)
        if hashlib.sha256(data).hexdigest() != row.source_sha256:
            raise BadInput(f"changed picture: {row.image} is not the file that was inverted; invert it again")
        info = self._reader.info
        return Cached(
            picture_CHW=to_model(decode_rgb(data), info.height, info.width),
            codes_LD=row.codes(info),
            noise=row.noise(info),
        )


def _bundle(
    reader: CacheReader, model: str | None, device: str | None, storage_options: Mapping[str, Any] | None
) -> Bundle:
    where = model or reader.run["sources"]["model"]
    bundle = load_bundle(where, device=device, storage_options=storage_options)
    if bundle.sha256 != reader.info.model_sha256:
        raise ConfigurationError(
            f"model {where} is not the one that {reader.storage.url} was inverted with: name that one with --model"
        )
    return bundle
