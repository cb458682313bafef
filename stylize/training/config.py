"""What a training of the encoder consists of, and the two configurations that come with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from stylize.errors import ConfigurationError
from stylize.models.encoder import LIGHT as LIGHT_ENCODER
from stylize.models.encoder import PAPER as PAPER_ENCODER
from stylize.models.encoder import EncoderConfig
from stylize.training.masking import REPLACEMENTS
from stylize.training.optim import OPTIMIZERS


@dataclass(frozen=True, kw_only=True)
class EncoderTraining:
    """Settings of a training run. Weights are factors of the losses; a weight of 0 leaves the loss out.

    Attributes:
        images: how many training images to see in all; the schedules end there.
        batch: images per step.
        generated: share of a batch drawn from the generator instead of the dataset.
        mask_ratio, mask_patch, mask_replacement: masking of the noise maps, see `stylize.training.masking`.
        relight: re-light training pictures at random (not in the paper).
        swap: share of the real images whose codes come from another crop in another light, with the content picture
            in that light as the target: what a stylization must do, trained directly (not in the paper).
        crop: least share of height and width that a training crop covers.
        l1, mse: pixel losses, where both noise maps are kept.
        perceptual: LPIPS or feature distance.
        adversarial, feature_matching, r1, r1_every: hinge loss of a patch discriminator on real images.
        noise: mean absolute value of the noise maps.
        latent, latent_fade: MSE to the true codes of generated images, and the images between which it fades out.
        optimizer: `ranger` (RAdam with lookahead) or `adam`.
        lr, lr_end: learning rate, cosine from one to the other.
        ema_images: half-life of the averaged weights, in images; it ramps up from nothing.
    """

    encoder: EncoderConfig = field(default_factory=lambda: LIGHT_ENCODER)
    images: int = 60_000
    batch: int = 4
    generated: float = 0.0
    mask_ratio: float = 0.25
    mask_patch: int = 4
    mask_replacement: str = "normal"
    relight: bool = True
    swap: float = 0.5
    crop: float = 0.7
    l1: float = 4.0
    mse: float = 1.0
    perceptual: float = 1.25
    adversarial: float = 0.0
    feature_matching: float = 0.0
    r1: float = 0.1
    r1_every: int = 16
    noise: float = 0.0
    latent: float = 0.0
    latent_fade: tuple[int, int] = (200_000, 500_000)
    optimizer: str = "adam"
    lr: float = 1e-3
    lr_end: float = 5e-5
    betas: tuple[float, float] = (0.5, 0.99)
    ema_images: int = 2_000
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "latent_fade", tuple(self.latent_fade))
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.optimizer not in OPTIMIZERS:
            raise ConfigurationError(f"optimizer {self.optimizer!r} is not one of {', '.join(OPTIMIZERS)}")
        if self.mask_replacement not in REPLACEMENTS:
            raise ConfigurationError(f"mask replacement {self.mask_replacement!r} is not {' or '.join(REPLACEMENTS)}")
        if not 0 <= self.mask_ratio < 1:
            raise ConfigurationError(f"mask ratio {self.mask_ratio} is not in [0, 1)")
        if not 0 <= self.generated < 1 or not 0 <= self.swap <= 1 or not 0 < self.crop <= 1:
            raise ConfigurationError("generated is a share in [0, 1), swap one in [0, 1], crop one in (0, 1]")
        if min(self.images, self.batch, self.mask_patch, self.r1_every, self.ema_images) < 1:
            raise ConfigurationError("images, batch, mask_patch, r1_every and ema_images must be at least 1")
        if not (self.l1 or self.mse or self.perceptual):
            raise ConfigurationError("one of l1, mse and perceptual must have a weight: nothing else compares pictures")

    def with_(self, **changes: Any) -> EncoderTraining:
        """Return a copy with some settings changed."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


LIGHT = EncoderTraining()
"""For small machines: minutes to hours on a CPU, usually together with `--tune-generator`."""

PAPER = EncoderTraining(
    encoder=PAPER_ENCODER,
    images=1_000_000,
    batch=16,
    generated=0.5,
    relight=False,
    swap=0.0,
    crop=1.0,
    l1=0.0,
    mse=1.0,
    perceptual=10.0,
    adversarial=0.1,
    feature_matching=0.2,
    noise=0.1,
    latent=0.1,
    optimizer="ranger",
    lr=1e-4,
    lr_end=1e-5,
    betas=(0.95, 0.999),
    ema_images=10_000,
)
"""The published reference configuration (arXiv 2307.00648)."""

PRESETS = {"light": LIGHT, "paper": PAPER}
