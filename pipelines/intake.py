"""Read an input of `invert` and judge it: every way in which a picture or its label can be unusable."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from pipelines.flow import Stopwatch
from stylize import images
from stylize.cache import CacheInfo
from stylize.codec import Floats
from stylize.errors import BadInput, NotFound
from stylize.storage import Storage

MIN_SIDE = 8  # pixels; below this there is no scene to speak of
MAX_STRETCH = 4.0  # how far a picture may be squashed along one side to fit the model's frame
LABEL_HEADER = 1 << 16  # bytes that hold the size of any PNG and of nearly any JPEG

Argument = TypeVar("Argument")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A source picture that was read, checked and brought into the model's frame."""

    row: Mapping[str, Any]
    sha256: str
    height: int
    width: int
    image_CHW: Floats


def load_picture(
    dataset: Storage, row: Mapping[str, Any], info: CacheInfo, *, labelled: bool, watch: Stopwatch
) -> Picture:
    """Read the picture of a work list's row; of its labels only the headers.

    `labelled` says that a picture without label is a fault. Raises `BadInput` with a reason of the form
    `class: details`, such as `label size: trainannot/a.png is 480x352, the picture is 480x360`.
    """
    if labelled and not row["labels"]:
        raise BadInput(f"missing label: other pictures of split {row['split']!r} have one")
    data = _read(dataset, row["image"], watch)
    with watch("decode"):
        rgb_HWC = _judged("unreadable picture", images.decode_rgb, data)
        height, width = rgb_HWC.shape[:2]
        _check_shape(height, width, info)
        image_CHW = images.to_model(rgb_HWC, info.height, info.width)
    for label in row["labels"]:
        _check_label(dataset, label, (width, height), watch)
    return Picture(row=row, sha256=hashlib.sha256(data).hexdigest(), height=height, width=width, image_CHW=image_CHW)


def _read(dataset: Storage, path: str, watch: Stopwatch) -> bytes:
    with watch("read"):
        return _judged("unreadable file", dataset.read, path)


def _judged(fault: str, function: Callable[[Argument], Result], argument: Argument) -> Result:
    """Call a function; what makes an input unusable gets its class put before the reason."""
    try:
        return function(argument)
    except NotFound as error:
        raise BadInput(f"missing file: {error.reason}") from error
    except BadInput as error:
        raise BadInput(f"{fault}: {error.reason}") from error


def _check_shape(height: int, width: int, info: CacheInfo) -> None:
    if min(height, width) < MIN_SIDE:
        raise BadInput(f"picture size: {width}x{height}, the shorter side needs {MIN_SIDE} pixels at least")
    stretch = (width / height) / (info.width / info.height)
    if max(stretch, 1 / stretch) > MAX_STRETCH:
        raise BadInput(
            f"picture shape: {width}x{height} is {max(stretch, 1 / stretch):.1f} times further from square than the "
            f"model's {info.width}x{info.height}, {MAX_STRETCH:g} times is allowed; cut it into pieces"
        )


def _check_label(dataset: Storage, path: str, size: tuple[int, int], watch: Stopwatch) -> None:
    """Compare a label's size with its picture's; what is no picture, such as polygons in JSON, is not looked at."""
    if PurePosixPath(path).suffix.lower() not in images.IMAGE_SUFFIXES:
        return
    found = _judged("unreadable label", lambda name: _probe(dataset, name, watch), path)
    if found != size:
        raise BadInput(f"label size: {path} is {found[0]}x{found[1]}, the picture is {size[0]}x{size[1]}")


def _probe(dataset: Storage, path: str, watch: Stopwatch) -> tuple[int, int]:
    with watch("read"):
        header = dataset.read_range(path, 0, LABEL_HEADER)
        try:
            return images.probe(header)
        except BadInput:
            if len(header) < LABEL_HEADER:
                raise
        return images.probe(dataset.read(path))
