"""Exemplars as pictures: what a worker reads of them again and again, and keeps."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from pipelines.flow import Stopwatch
from pipelines.mixfiles import read_inverted
from stylize import images
from stylize.blur import Sharpness, sharpness_of
from stylize.cover import Cover, cover_of
from stylize.grain import Spectrum, grain_of
from stylize.haze import Haze, haze_of
from stylize.images import Pixels
from stylize.particles import Particles, particles_of
from stylize.storage import Storage

T = TypeVar("T")

MEMORY = 128 << 20  # bytes of decoded exemplars that a worker keeps
GRAINS = 4096  # spectra of 2 kB each
PARTICLES = 64  # of at most 1.1 MB each, most of them empty
NUMBERS = 65536  # hazes, blurs and covers, of a few dozen bytes each


class ExemplarPictures:
    """Reads exemplars of a dataset and keeps the last ones, since few of them may style very many contents."""

    def __init__(self, dataset: Storage, *, memory: int = MEMORY) -> None:
        self._dataset = dataset
        self._memory = memory
        self._kept: OrderedDict[str, Pixels] = OrderedDict()
        self._grains: OrderedDict[tuple[str, int], Spectrum] = OrderedDict()
        self._particles: OrderedDict[tuple[str, int], Particles] = OrderedDict()
        self._hazes: OrderedDict[tuple[str, int], Haze] = OrderedDict()
        self._blurs: OrderedDict[tuple[str, int], Sharpness] = OrderedDict()
        self._covers: OrderedDict[tuple[str, int], Cover] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: str, sha256: str, watch: Stopwatch) -> Pixels:
        """Return an exemplar [H, W, 3]; one that is gone or is another file than was inverted is bad input."""
        with self._lock:
            if path in self._kept:
                self._kept.move_to_end(path)
                return self._kept[path]
        with watch("read"):
            data = read_inverted(self._dataset, path, sha256, "exemplar")
        with watch("decode"):
            picture_HWC = images.decode_rgb(data)
        self._keep(path, picture_HWC)
        return picture_HWC

    def grain(self, path: str, sha256: str, height: int, watch: Stopwatch) -> Spectrum:
        """Return the grain of an exemplar at a height (see `stylize.grain`); what `read` refuses is refused."""
        return self._measured(
            self._grains, GRAINS, (path, height), sha256, "grain", watch, lambda seen: grain_of(seen, height)
        )

    def particles(self, path: str, sha256: str, watch: Stopwatch) -> Particles:
        """Return what falls in an exemplar (see `stylize.particles`); what `read` refuses is refused."""
        return self._measured(self._particles, PARTICLES, (path, 0), sha256, "grain", watch, particles_of)

    def blur(self, path: str, sha256: str, height: int, watch: Stopwatch) -> Sharpness:
        """Return the sharpness of an exemplar at a height (see `stylize.blur`); what `read` refuses is refused."""
        return self._measured(
            self._blurs, NUMBERS, (path, height), sha256, "blur", watch, lambda seen: sharpness_of(seen, height)
        )

    def haze(self, path: str, sha256: str, watch: Stopwatch) -> Haze:
        """Return the haze of an exemplar (see `stylize.haze`); what `read` refuses is refused."""
        return self._measured(self._hazes, NUMBERS, (path, 0), sha256, "haze", watch, haze_of)

    def cover(self, path: str, sha256: str, watch: Stopwatch) -> Cover:
        """Return what covers an exemplar's sky and ground (see `stylize.cover`); what `read` refuses is refused."""
        return self._measured(self._covers, NUMBERS, (path, 0), sha256, "cover", watch, cover_of)

    def _measured(
        self,
        kept: OrderedDict[tuple[str, int], T],
        most: int,
        key: tuple[str, int],
        sha256: str,
        stage: str,
        watch: Stopwatch,
        measure: Callable[[Pixels], T],
    ) -> T:
        """Return what was measured of an exemplar before, or measure it and keep the last so many."""
        with self._lock:
            if key in kept:
                return kept[key]
        picture_HWC = self.read(key[0], sha256, watch)
        with watch(stage):
            found = measure(picture_HWC)
        with self._lock:
            kept[key] = found
            while len(kept) > most:
                kept.popitem(last=False)
        return found

    def _keep(self, path: str, picture_HWC: Pixels) -> None:
        with self._lock:
            self._kept[path] = picture_HWC
            while sum(picture.nbytes for picture in self._kept.values()) > self._memory and len(self._kept) > 1:
                self._kept.popitem(last=False)
