"""What a mix does to a copy after its colours: all that the exemplar has beside them, and a style that is uneven."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from pipelines.exemplarpictures import ExemplarPictures
from pipelines.flow import Stopwatch
from pipelines.mixguard import Copy
from pipelines.provenance import Row
from stylize.blur import add_blur
from stylize.cover import Scene, add_cover, scene_of
from stylize.grain import add_grain
from stylize.haze import add_haze
from stylize.images import Pixels
from stylize.particles import add_particles
from stylize.uneven import make_uneven


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How much of an exemplar's haze, cover, blur and grain its copies take on; how much the style varies over one."""

    haze: float
    cover: float
    blur: float
    grain: float
    uneven: float


class Weather:
    """Adds these shares to copies."""

    def __init__(self, shares: Shares, exemplars: ExemplarPictures) -> None:
        self.shares = shares
        self._exemplars = exemplars

    def read(self, rows: Sequence[Row], height: int, watch: Stopwatch) -> None:
        """Measure the exemplars of copies of this height beforehand; what cannot be read is bad input."""
        for row in rows:
            path, sha256 = row["exemplar_source"], row["exemplar_sha256"]
            if self.shares.haze:
                self._exemplars.haze(path, sha256, watch)
            if self.shares.cover:
                self._exemplars.cover(path, sha256, watch)
            if self.shares.blur:
                self._exemplars.blur(path, sha256, height, watch)
            if self.shares.grain:
                self._exemplars.particles(path, sha256, watch)
                self._exemplars.grain(path, sha256, height, watch)

    def scene(self, content_HWC: Pixels, watch: Stopwatch) -> Scene | None:
        """Return where the sky and the ground of a content are, when they are to be covered."""
        if not self.shares.cover:
            return None
        with watch("cover"):
            return scene_of(content_HWC)

    def add(self, picture_HWC: Pixels, scene: Scene | None, copy: Copy, watch: Stopwatch) -> Pixels:
        """Return a draw with haze, cover, blur and grain of its exemplar, as far as the style is moved; at most all.

        Cover follows haze, which is part of the colours that it compares; what falls goes with grain, which makes up
        for what the exemplar has more of it. `scene` is the content's, of the method of that name.
        """
        moved, seed = min(1.0, copy.row["strength"]), copy.row["seed"]
        path, sha256, height = copy.upcoming.source, copy.upcoming.sha256, picture_HWC.shape[0]
        if share := self.shares.haze * moved:
            haze = self._exemplars.haze(path, sha256, watch)
            with watch("haze"):
                picture_HWC = add_haze(picture_HWC, haze, share)
        if scene and (share := self.shares.cover * moved):
            cover = self._exemplars.cover(path, sha256, watch)
            with watch("cover"):
                picture_HWC = add_cover(picture_HWC, scene, cover, share, seed)
        if share := self.shares.blur * moved:
            blur = self._exemplars.blur(path, sha256, height, watch)
            with watch("blur"):
                picture_HWC = add_blur(picture_HWC, blur, share)
        if share := self.shares.grain * moved:
            falling = self._exemplars.particles(path, sha256, watch)
            grain = self._exemplars.grain(path, sha256, height, watch)
            with watch("grain"):
                picture_HWC = add_grain(add_particles(picture_HWC, falling, share, seed), grain, share, seed)
        return picture_HWC

    def uneven(self, picture_HWC: Pixels, content_HWC: Pixels, copy: Copy, watch: Stopwatch) -> Pixels:
        """Return a draw that is changed more here and less there: the last step, which no guard takes for a failure."""
        with watch("uneven") if self.shares.uneven else nullcontext():
            return make_uneven(picture_HWC, content_HWC, self.shares.uneven, copy.row["seed"])
