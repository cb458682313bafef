"""What a training computes in: 32 bits, or on GPUs half of that where it does no harm."""

from __future__ import annotations

import torch

from stylize.errors import ConfigurationError

PRECISIONS = ("fp32", "bf16", "fp16")
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """Opens the parts of a step that may run in half precision; weights and their averages stay in 32 bits.

    Gradients of fp16 are scaled up, lest small ones vanish; bf16 has the range of 32 bits and needs no scaling.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        check_precision(name, device)
        self._half = HALVES.get(name)
        self._device = device.type
        self._scales = name == "fp16"

    def autocast(self, allowed: bool = True) -> torch.autocast:
        """Return the context in which convolutions take half precision, if that is on and `allowed`."""
        return torch.autocast(self._device, self._half or torch.bfloat16, enabled=allowed and self._half is not None)

    def scaler(self) -> torch.amp.GradScaler:
        """Return the scaler of one optimizer's gradients, which does nothing but for fp16."""
        return torch.amp.GradScaler(self._device, enabled=self._scales)


def check_precision(name: str, device: torch.device) -> None:
    """Raise `ConfigurationError` for a precision that is unknown, or that only GPUs train in."""
    if name not in PRECISIONS:
        raise ConfigurationError(f"precision {name!r} is not one of {', '.join(PRECISIONS)}")
    if name in HALVES and device.type == "cpu":
        raise ConfigurationError(f"{name} is for GPUs: on a CPU, leave the precision of a training at fp32")
