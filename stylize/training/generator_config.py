"""What a training of a generator consists of, its two configurations, and the generator for a picture size."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from stylize.errors import ConfigurationError
from stylize.models.generator import GeneratorConfig
from stylize.training.precision import PRECISIONS

WIDTHS = {"light": (24, 48, 96, 128), "paper": (64, 128, 256, 512)}  # from the finest block; further ones like the last
LEAST_DOUBLINGS = 3  # the noise maps at 1/4 of the picture need a block above the constant
CONST_SIDES = (2, 16)


def generator_for(size: tuple[int, int], preset: str = "light", noise_downscale: int = 4) -> GeneratorConfig:
    """Return the shape of a generator of pictures of `size` (height, width), as small a constant as that allows.

    It takes noise maps at `1 / noise_downscale` of the picture.

    Raises:
        ConfigurationError: height and width cannot be halved often enough.
    """
    smallest, largest = CONST_SIDES
    doublings, const = 0, size
    while const[0] % 2 == 0 and const[1] % 2 == 0 and min(const) // 2 > smallest:
        doublings, const = doublings + 1, (const[0] // 2, const[1] // 2)
    if doublings < LEAST_DOUBLINGS or max(const) > largest:
        raise ConfigurationError(
            f"{size[0]}x{size[1]} cannot be doubled from a small constant: choose multiples of 32 (of 64 for large "
            "pictures), such as 96x128, 128x256 or 192x640"
        )
    widths = WIDTHS[preset]
    channels = tuple(widths[min(i, len(widths) - 1)] for i in reversed(range(doublings + 1)))
    if preset == "light":
        return GeneratorConfig(const_size=const, channels=channels, noise_downscale=noise_downscale)
    return GeneratorConfig(
        const_size=const, channels=channels, z_dim=512, w_dim=512, mapping_layers=8, noise_downscale=noise_downscale
    )


@dataclass(frozen=True, kw_only=True)
class GeneratorTraining:
    """Settings of a generator's training run.

    Attributes:
        generator: shape of the generator; the discriminator mirrors it.
        images: how many training images to see in all.
        batch: images per step.
        r1, r1_every: gradient penalty of the discriminator at real pictures, taken every so many steps.
        path_length, path_every: penalty of uneven steps in w space, 0 for none.
        style_mixing: share of the generated pictures that take two latents, one from a random layer on.
        lr, betas: of both Adam optimisers; the lazy penalties' correction is applied to them.
        ema_images: half-life of the averaged weights, in images; it ramps up from nothing.
        ada_target, ada_images: adaptive augmentation (see `stylize.training.ada`): the mean sign of the logits of real
            pictures to keep, 0 for none, and the images in which its probability may go from 0 to 1.
        precision: `fp32`, or on GPUs `bf16` or `fp16` for what does not need more, see `stylize.training.precision`.
        frechet_pictures: pictures on each side of the Frechet distance at every evaluation, 0 for none.
    """

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    images: int = 400_000
    batch: int = 16
    r1: float = 0.5
    r1_every: int = 16
    path_length: float = 0.0
    path_every: int = 4
    style_mixing: float = 0.9
    lr: float = 2.5e-3
    betas: tuple[float, float] = (0.0, 0.99)
    ema_images: int = 5_000
    seed: int = 0
    ada_target: float = 0.0
    ada_images: int = 500_000
    precision: str = "fp32"
    frechet_pictures: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.generator.c_dim:
            raise ConfigurationError("pictures come without classes: a generator is trained with c_dim 0")
        if min(self.images, self.batch, self.r1_every, self.path_every, self.ema_images, self.ada_images) < 1:
            raise ConfigurationError(
                "images, batch, r1_every, path_every, ema_images and ada_images must be at least 1"
            )
        if not 0 <= self.style_mixing <= 1:
            raise ConfigurationError(f"style mixing {self.style_mixing} is not a share in [0, 1]")
        if not 0 <= self.ada_target < 1:
            raise ConfigurationError(f"the target of augmentation {self.ada_target} is not in [0, 1)")
        if self.precision not in PRECISIONS:
            raise ConfigurationError(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if self.frechet_pictures < 0 or self.frechet_pictures == 1:
            raise ConfigurationError("a Frechet distance needs two pictures or more, or 0 for none")

    def with_(self, **changes: Any) -> GeneratorTraining:
        """Return a copy with some settings changed."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings; those that came later are left out while they change nothing, so that old runs go on."""
        later = {"ada_target": 0.0, "precision": "fp32", "frechet_pictures": 0}
        settings = {name: value for name, value in asdict(self).items() if later.get(name) != value}
        if not self.ada_target:
            del settings["ada_images"]
        return settings


LIGHT = GeneratorTraining(ada_target=0.6, ada_images=100_000, frechet_pictures=1_000)
"""For small machines and small pictures."""

PAPER = GeneratorTraining(
    generator=generator_for((256, 512), "paper"),
    images=25_000_000,
    batch=32,
    r1=10.0,
    path_length=2.0,
    lr=2e-3,
    ema_images=10_000,
    ada_target=0.6,
    frechet_pictures=10_000,
)
"""StyleGAN2's configuration F (arXiv 1912.04958) at 256x512."""

PRESETS = {"light": LIGHT, "paper": PAPER}
