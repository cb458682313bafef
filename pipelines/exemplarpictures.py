"""Exemplars as pictures: what a worker reads of them again and again, and keeps."""

from __future__ import annotations

import threading
from collections import OrderedDict

from pipelines.flow import Stopwatch
from pipelines.mixfiles import read_inverted
from stylize import images
from stylize.grain import Spectrum, grain_of
from stylize.haze import Haze, haze_of
from stylize.images import Pixels
from stylize.storage import Storage

MEMORY = 128 << 20  # bytes of decoded exemplars that a worker keeps
GRAINS = 4096  # spectra of 2 kB each
HAZES = 65536  # of a few dozen bytes each


class ExemplarPictures:
    """Reads exemplars of a dataset and keeps the last ones, since few of them may style very many contents."""

    def __init__(self, dataset: Storage, *, memory: int = MEMORY) -> None:
        self._dataset = dataset
        self._memory = memory
        self._kept: OrderedDict[str, Pixels] = OrderedDict()
        self._grains: OrderedDict[tuple[str, int], Spectrum] = OrderedDict()
        self._hazes: OrderedDict[str, Haze] = OrderedDict()
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
        with self._lock:
            known = self._grains.get((path, height))
        if known is not None:
            return known
        picture_HWC = self.read(path, sha256, watch)
        with watch("grain"):
            spectrum = grain_of(picture_HWC, height)
        with self._lock:
            self._grains[path, height] = spectrum
            while len(self._grains) > GRAINS:
                self._grains.popitem(last=False)
        return spectrum

    def haze(self, path: str, sha256: str, watch: Stopwatch) -> Haze:
        """Return the haze of an exemplar (see `stylize.haze`); what `read` refuses is refused."""
        with self._lock:
            known = self._hazes.get(path)
        if known is not None:
            return known
        picture_HWC = self.read(path, sha256, watch)
        with watch("haze"):
            haze = haze_of(picture_HWC)
        with self._lock:
            self._hazes[path] = haze
            while len(self._hazes) > HAZES:
                self._hazes.popitem(last=False)
        return haze

    def _keep(self, path: str, picture_HWC: Pixels) -> None:
        with self._lock:
            self._kept[path] = picture_HWC
            while sum(picture.nbytes for picture in self._kept.values()) > self._memory and len(self._kept) > 1:
                self._kept.popitem(last=False)
