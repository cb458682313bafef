"""What a mix reads: the cache of its contents, perhaps another of its exemplars, their datasets and the model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.mixoptions import MixOptions
from stylize.cache import CacheReader
from stylize.errors import ConfigurationError
from stylize.models.bundle import model_place, model_sha256
from stylize.storage import Storage

Place = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class MixInputs:
    """The opened inputs: two caches, the datasets that hold the files of each, and the model's place.

    Without `styles` the exemplars come from `contents`, and `exemplars` is `dataset`; a baseline has no `model`.
    """

    contents: CacheReader
    styles: CacheReader | None
    dataset: Storage
    exemplars: Storage
    model: str | None

    @property
    def sources(self) -> dict[str, str | None]:
        """Where all is, under the names of the arguments of `pipelines.mix.mix`."""
        return {
            "cache": self.contents.storage.url,
            "styles": self.styles.storage.url if self.styles else None,
            "dataset": self.dataset.url,
            "styles_dataset": self.exemplars.url if self.styles else None,
            "model": self.model,
        }

    def check_output(self, out: Storage) -> None:
        """Raise `ConfigurationError` when the output is a place that is read from."""
        for storage in (self.contents.storage, self.dataset):
            if out.url == storage.url:
                raise ConfigurationError(
                    f"the output cannot be {storage.url}, which is read from: choose another folder"
                )


def open_inputs(
    cache: Place,
    options: MixOptions,
    *,
    styles: Place | None = None,
    dataset: Place | None = None,
    styles_dataset: Place | None = None,
    model: Place | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> MixInputs:
    """Open what a mix reads; datasets and model are where the caches say, unless they are given.

    Raises:
        ConfigurationError: there is no cache, the two caches or the model do not belong together, or a place is given
            that nothing is read from.
    """
    contents = CacheReader(Storage(cache, storage_options))
    exemplars = None if styles is None else CacheReader(Storage(styles, storage_options))
    if exemplars is None and styles_dataset is not None:
        raise ConfigurationError("the styles' dataset says where exemplars of another cache are: give styles too")
    options.refuse_for_baseline({"model": model is not None})
    source = exemplar_source = Storage(dataset or contents.run["sources"]["dataset"], storage_options)
    if exemplars is not None:
        exemplar_source = Storage(styles_dataset or exemplars.run["sources"]["dataset"], storage_options)
    where = None
    if options.stylizes:
        where = model_place(model or contents.run["sources"]["model"])
        _check_codes(contents, exemplars)
        _check_weights(where, contents, storage_options)
    return MixInputs(contents=contents, styles=exemplars, dataset=source, exemplars=exemplar_source, model=where)


def _check_codes(contents: CacheReader, exemplars: CacheReader | None) -> None:
    """Refuse exemplars of another model: codes mean something to the model alone that made them."""
    if exemplars is not None and exemplars.info.model_sha256 != contents.info.model_sha256:
        raise ConfigurationError(
            f"{exemplars.storage.url} was inverted with {_model(exemplars)}, {contents.storage.url} with "
            f"{_model(contents)}: invert both with the same model"
        )


def _model(cache: CacheReader) -> str:
    return f"{cache.run['sources']['model']} ({cache.info.model_sha256[:12]})"


def _check_weights(model: str, contents: CacheReader, storage_options: Mapping[str, Any] | None) -> None:
    found = model_sha256(model, storage_options=storage_options)
    if found != contents.info.model_sha256:
        raise ConfigurationError(
            f"model {model} ({found[:12]}) is not the one that {contents.storage.url} was inverted with, "
            f"{_model(contents)}: name that one with --model, or invert again"
        )
