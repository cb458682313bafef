"""One training step of the encoder, and the state that steps change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.models.bundle import Bundle
from stylize.models.discriminator import MultiScaleDiscriminator, hinge_discriminator, r1_penalty
from stylize.models.encoder import Codes
from stylize.models.protocol import trained_part
from stylize.training.config import EncoderTraining
from stylize.training.losses import StepOutput, encoder_losses, total_loss
from stylize.training.masking import mask_noise
from stylize.training.optim import cosine, make_optimizer, update_average
from stylize.training.pictures import TrainingPictures, step_rng
from stylize.training.relight import relight
from stylize.training.team import ALONE, Team


class EncoderTrainer:
    """Trains the encoder of a bundle, and its synthesis network too when asked.

    A step is a function of the state, the seed and its number, so that a resumed run repeats an uninterrupted one. In a
    team every process draws the random numbers of the whole batch and computes on its share of it.
    """

    def __init__(
        self,
        bundle: Bundle,
        pictures: TrainingPictures,
        training: EncoderTraining,
        perceptual: Callable[[Tensor, Tensor], Tensor] | None,
        *,
        tune_generator: bool,
        team: Team = ALONE,
    ) -> None:
        self.bundle, self.pictures, self.training, self.perceptual = bundle, pictures, training, perceptual
        self.tune_generator, self.team = tune_generator, team
        self.generated = check_shares(training, team)
        self.step = 0
        bundle.train().requires_grad_(False)
        bundle.encoder.requires_grad_(True)
        if tune_generator:
            trained_part(bundle.generator).requires_grad_(True)
        self.average = copy.deepcopy(bundle).eval().requires_grad_(False)
        self.trained = [p for p in bundle.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(training.optimizer, self.trained, training.lr, training.betas)
        self.discriminator: MultiScaleDiscriminator | None = None
        if training.adversarial or training.feature_matching:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(training.seed)
                self.discriminator = MultiScaleDiscriminator().to(bundle.device)
            self.critic = make_optimizer(
                training.optimizer, self.discriminator.parameters(), training.lr, training.betas
            )

    @property
    def images(self) -> int:
        """Training images seen so far."""
        return self.step * self.training.batch

    @property
    def total(self) -> int:
        """Training images to see in all."""
        return self.training.images

    @property
    def lr(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def train_step(self) -> dict[str, float]:
        """Take one step; return every loss by name."""
        rng = step_rng(self.training.seed, self.step, "step")
        self._set_lr()
        output = self._forward(rng)
        if self.discriminator is not None:
            self.discriminator.requires_grad_(False)
        losses = encoder_losses(
            self.training, output, images=self.images, perceptual=self.perceptual, discriminator=self.discriminator
        )
        loss = total_loss(self.training, losses, self.images)
        self.optimizer.zero_grad()
        loss.backward()
        self.team.mean_gradients(self.trained)
        self.optimizer.step()
        figures = {name: value.item() for name, value in losses.items()} | {"total": loss.item()}
        if self.discriminator is not None:
            figures |= self._discriminator_step(output)
        figures = self.team.mean_figures(figures)
        self.step += 1
        update_average(
            self.average,
            self.bundle,
            images=self.images,
            batch=self.training.batch,
            half_life=self.training.ema_images,
        )
        return figures

    def _set_lr(self) -> None:
        lr = cosine(self.images / self.training.images, self.training.lr, self.training.lr_end)
        optimizers = [self.optimizer] if self.discriminator is None else [self.optimizer, self.critic]
        for group in (g for optimizer in optimizers for g in optimizer.param_groups):
            group["lr"] = lr

    def _forward(self, rng: torch.Generator) -> StepOutput:
        content, target, style, swapped = self._views(self.training.batch - self.generated, rng)
        known: Tensor | None = None
        if self.generated:
            made, known = self._generate(self.generated, rng)
            content, target = torch.cat([content, made]), torch.cat([target, made])
        codes = self.bundle.encoder(torch.cat([content, style]))
        count = len(content)
        ws_BLD = torch.cat([codes.ws_BLD[count:], codes.ws_BLD[swapped:count]])
        noise = (codes.noise[0][:count], codes.noise[1][:count])
        masked, keep = mask_noise(
            noise,
            ratio=self.training.mask_ratio,
            patch=self.training.mask_patch,
            replacement=self.training.mask_replacement,
            rng=rng,
            share=self.team.share,
            count=self.training.batch,
        )
        return StepOutput(
            target_BCHW=target,
            output_BCHW=self.bundle.generator.synthesis(ws_BLD, masked),
            keep_B1HW=keep,
            codes=Codes(codes.ws_BLD[:count], noise),
            generated=0 if known is None else len(known),
            known_BLD=known,
            kept=(keep.sum() / self.team.mean(keep.sum()).clamp(min=1)).item() if self.team.size > 1 else 1.0,
        )

    def _views(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, int]:
        """Return content pictures, targets, style pictures of the first `swapped`, and their number.

        `count` is that of the whole batch, the results are this process's share of it.
        """
        training, share = self.training, self.team.share
        indices = self.pictures.draw(self.step, count, training.seed)
        content = self.pictures.crop(indices, rng, training.crop, share)
        swapped = round(count * training.swap)
        content_lit = self._light(content, rng, count)
        device = self.bundle.device
        if not swapped:
            content_lit = content_lit.to(device)
            return content_lit, content_lit, content_lit[:0], 0
        # One other light for target and style picture: drawn once, applied to both crops.
        other = self.pictures.crop(indices[:swapped], rng, training.crop, share)
        state = rng.get_state()
        target = self._light(content[: len(other)], rng, swapped)
        style = self._light(other, _rng_at(state), swapped)
        target = torch.cat([target, content_lit[len(other) :]])
        return content_lit.to(device), target.to(device), style.to(device), len(other)

    def _light(self, images_BCHW: Tensor, rng: torch.Generator, count: int) -> Tensor:
        return relight(images_BCHW, rng, self.team.share, count) if self.training.relight else images_BCHW

    def _generate(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pictures with known codes. They are not flipped: a flipped picture's codes are unknown."""
        device = self.bundle.device
        generator: Any = self.bundle.generator
        z_BD = torch.randn(count, generator.z_dim, generator=rng)[self.team.share].to(device)
        c_BK = draw_classes(count, generator.c_dim, rng)
        c_BK = None if c_BK is None else c_BK[self.team.share]
        with torch.no_grad():
            ws_BLD = generator.mapping(z_BD, None if c_BK is None else c_BK.to(device))
            return generator.synthesis(ws_BLD).clamp(-1, 1), ws_BLD

    def _discriminator_step(self, output: StepOutput) -> dict[str, float]:
        assert self.discriminator is not None
        self.discriminator.requires_grad_(True)
        real = len(output.target_BCHW) - output.generated
        target, made = output.target_BCHW[:real], output.output_BCHW[:real].detach()
        loss = hinge_discriminator(self.discriminator(target), self.discriminator(made))
        figures = {"discriminator": loss.item()}
        if self.training.r1 and self.step % self.training.r1_every == 0:
            penalty = r1_penalty(self.discriminator, target)
            loss = loss + self.training.r1 * self.training.r1_every * penalty
            figures["r1"] = penalty.item()
        self.critic.zero_grad()
        loss.backward()
        self.team.mean_gradients(self.discriminator.parameters())
        self.critic.step()
        return figures

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a step reads and changes."""
        state: dict[str, Any] = {
            "step": self.step,
            "bundle": self.bundle.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if self.discriminator is not None:
            state |= {"discriminator": self.discriminator.state_dict(), "critic": self.critic.state_dict()}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.bundle.load_state_dict(state["bundle"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.discriminator is not None:
            self.discriminator.load_state_dict(state["discriminator"])
            self.critic.load_state_dict(state["critic"])


def check_shares(training: EncoderTraining, team: Team) -> int:
    """Return how many pictures of a batch are generated, or raise `ConfigurationError` when a team cannot share it."""
    generated = int(training.batch * training.generated)
    team.check("the number of real pictures in a batch", training.batch - generated)
    team.check("the number of generated pictures in a batch", generated)
    return generated


def draw_classes(count: int, classes: int, rng: torch.Generator) -> Tensor | None:
    """Draw one-hot conditions `[count, classes]` for a class-conditional generator, None for any other."""
    if not classes:
        return None
    return F.one_hot(torch.randint(classes, (count,), generator=rng), classes).float()


def _rng_at(state: Tensor) -> torch.Generator:
    rng = torch.Generator()
    rng.set_state(state)
    return rng
