"""Bringing a trained model to another size of pictures."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F

from stylize.errors import ConfigurationError
from stylize.models.bundle import Bundle
from stylize.models.generator import GeneratorConfig


def resized(bundle: Bundle, size: tuple[int, int]) -> Bundle:
    """Return a copy of a bundle for pictures of `size` (height, width), to be trained further.

    All convolutions stay as they are, only the constant that synthesis starts from is interpolated: what the model
    knows of a street is kept, its objects merely have more or fewer pixels than it is used to. Stored noise of the
    layers is drawn anew, as its values mean nothing.

    Raises:
        ConfigurationError: no constant gives pictures of that size.
    """
    config = bundle.generator_config
    if not isinstance(config, GeneratorConfig):
        raise ConfigurationError("only a StyleGAN2 is brought to another size: train a new generator of this kind")
    doublings = len(config.channels) - 1
    step = 1 << doublings
    if size[0] % step or size[1] % step:
        raise ConfigurationError(
            f"{size[0]}x{size[1]} does not fit this model, which doubles its constant {doublings} times: "
            f"choose multiples of {step}"
        )
    const_size = (size[0] // step, size[1] // step)
    made = Bundle.create(replace(config, const_size=const_size), bundle.encoder.config)
    state = bundle.state_dict()
    for name, fresh in made.state_dict().items():
        if name.endswith("noise_const"):
            state[name] = fresh
        elif name.endswith(".const"):
            grown = F.interpolate(state[name].unsqueeze(0), size=const_size, mode="bilinear", align_corners=False)
            state[name] = grown.squeeze(0)
    made.load_state_dict(state)
    return made
