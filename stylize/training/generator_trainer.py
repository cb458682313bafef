"""One training step of a generator against its discriminator (arXiv 1912.04958), and the state that steps change."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.models.generator import Generator, SynthesisLayer
from stylize.models.residual_discriminator import GROUP, ResidualDiscriminator
from stylize.training.ada import Augmentation
from stylize.training.generator_config import GeneratorTraining
from stylize.training.optim import update_average
from stylize.training.pictures import TrainingPictures, step_rng
from stylize.training.precision import Precision
from stylize.training.team import ALONE, Team

W_AVERAGE_RATE = 0.005
PATH_MEAN_RATE = 0.01
PATH_BATCH_SHARE = 2  # the path penalty, which is costly, looks at half a batch


class GeneratorTrainer:
    """Trains a generator on pictures; a step is a function of the state, the seed and its number.

    In a team every process draws the random numbers of the whole batch and computes on its share of it.
    """

    def __init__(
        self, generator: Generator, pictures: TrainingPictures, training: GeneratorTraining, team: Team = ALONE
    ) -> None:
        check_shares(training, team)
        self.generator, self.pictures, self.training, self.team = generator, pictures, training, team
        self.step = 0
        self.device = generator.mapping.w_avg.device
        self.precision = Precision(training.precision, self.device)
        self.augment = Augmentation(training.ada_target, training.ada_images)
        generator.train().requires_grad_(True)
        self.average = copy.deepcopy(generator).eval().requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            config = training.generator
            self.discriminator = ResidualDiscriminator(config.const_size, config.channels, config.img_channels)
        self.discriminator.to(self.device).to(memory_format=torch.channels_last)
        self.path_mean = torch.zeros((), device=self.device)
        path_every = training.path_every if training.path_length else None
        self.optimizer = _adam(generator, training, path_every)
        self.critic = _adam(self.discriminator, training, training.r1_every if training.r1 else None)
        self.scaler, self.critic_scaler = self.precision.scaler(), self.precision.scaler()

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
        """Learning rate, which stays the same."""
        return self.training.lr

    def train_step(self) -> dict[str, float]:
        """Take a step of the generator, then one of the discriminator; return every loss by name."""
        training = self.training
        # Augmentation draws from a stream of its own, so that it changes nothing else.
        rng, changes = (step_rng(training.seed, self.step, purpose) for purpose in ("generator", "augmentation"))
        figures = self._generator_step(rng, changes) | self._discriminator_step(rng, changes)
        figures = self.team.mean_figures(figures)
        if self.augment.on:
            self.augment.observe(figures["real_sign"], training.batch)
            figures["augmentation"] = self.augment.p
        self.step += 1
        update_average(
            self.average, self.generator, images=self.images, batch=training.batch, half_life=training.ema_images
        )
        self.average.mapping.w_avg.copy_(self.generator.mapping.w_avg)
        return figures

    def _generator_step(self, rng: torch.Generator, changes: torch.Generator) -> dict[str, float]:
        self.discriminator.requires_grad_(False)
        logits = self._judge(self._generate(self.training.batch, rng), changes)
        loss = F.softplus(-logits).mean()
        figures = {"generator": loss.item()}
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        if self.training.path_length and self.step % self.training.path_every == 0:
            penalty = self._path_penalty(rng)
            self.scaler.scale(self.training.path_length * self.training.path_every * penalty).backward()
            figures["path_length"] = penalty.item()
        self._descend(self.generator, self.optimizer, self.scaler)
        return figures

    def _discriminator_step(self, rng: torch.Generator, changes: torch.Generator) -> dict[str, float]:
        training = self.training
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            made = self._generate(training.batch, rng)
        indices = self.pictures.draw(self.step, training.batch, training.seed)
        real = self.pictures.crop(indices, rng, 1.0, self.team.share).to(self.device)
        penalised = bool(training.r1) and self.step % training.r1_every == 0
        made_logits = self._judge(made, changes)
        # The penalty is taken where the discriminator looks: at the changed pictures.
        real = self._change(real, changes).requires_grad_(penalised)
        with self.precision.autocast(not penalised):  # gradients of gradients need their 32 bits
            logits = self.discriminator(real).float()
        loss = F.softplus(-logits).mean() + F.softplus(made_logits).mean()
        figures = {"discriminator": loss.item(), "real_logit": logits.mean().item()}
        if self.augment.on:
            figures["real_sign"] = logits.sign().mean().item()
        if penalised:
            (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
            penalty = 0.5 * gradient.square().sum(dim=(1, 2, 3)).mean()
            loss = loss + training.r1 * training.r1_every * penalty
            figures["r1"] = penalty.item()
        self.critic.zero_grad()
        self.critic_scaler.scale(loss).backward()
        self._descend(self.discriminator, self.critic, self.critic_scaler)
        return figures

    def _descend(self, module: torch.nn.Module, optimizer: torch.optim.Adam, scaler: torch.amp.GradScaler) -> None:
        """Take the step of an optimizer along the gradient of the whole batch."""
        self.team.mean_gradients(module.parameters())
        scaler.step(optimizer)
        scaler.update()

    def _judge(self, images_BCHW: Tensor, changes: torch.Generator) -> Tensor:
        """Return the discriminator's logits of pictures, which it sees changed like all that it sees."""
        changed = self._change(images_BCHW, changes)
        with self.precision.autocast():
            logits: Tensor = self.discriminator(changed)
        return logits.float()

    def _change(self, images_BCHW: Tensor, changes: torch.Generator) -> Tensor:
        return self.augment(images_BCHW, changes, self.team.share, self.training.batch)

    def _generate(self, count: int, rng: torch.Generator) -> Tensor:
        self._redraw_noise(rng)
        with self.precision.autocast():
            pictures: Tensor = self.generator.synthesis(self._codes(count, rng))
        return pictures.float()

    def _codes(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw this process's share of `count` w+ codes with style mixing, and follow the average of all."""
        generator, share = self.generator, self.team.share
        z_2BD = torch.randn(2 * count, generator.z_dim, generator=rng).view(2, count, -1)[:, share]
        with self.precision.autocast(False):
            first, second = generator.mapping(z_2BD.flatten(0, 1).to(self.device)).chunk(2)
        with torch.no_grad():
            generator.mapping.w_avg.lerp_(self.team.mean(first[:, 0].mean(dim=0)), W_AVERAGE_RATE)
        cut = torch.randint(1, generator.num_ws, (count, 1, 1), generator=rng)[share]
        mixed = torch.rand(count, 1, 1, generator=rng)[share] < self.training.style_mixing
        layers = torch.arange(generator.num_ws).view(1, -1, 1)
        return torch.where(((layers >= cut) & mixed).to(self.device), second, first)

    @torch.no_grad()
    def _redraw_noise(self, rng: torch.Generator) -> None:
        # With one noise for the whole training, the generator would learn that very picture of it by heart.
        for layer in self.generator.modules():
            if isinstance(layer, SynthesisLayer):
                layer.noise_const.copy_(torch.randn(layer.noise_const.shape, generator=rng))

    def _path_penalty(self, rng: torch.Generator) -> Tensor:
        """Return how unevenly steps in w change the picture (arXiv 1912.04958, section 3.2)."""
        count = max(self.training.batch // PATH_BATCH_SHARE, 1)
        ws_BLD = self._codes(count, rng)
        self._redraw_noise(rng)
        made = self.generator.synthesis(ws_BLD)
        direction = torch.randn(count, *made.shape[1:], generator=rng)[self.team.share].to(self.device)
        direction = direction / math.sqrt(made.shape[2] * made.shape[3])
        (gradient,) = torch.autograd.grad((made * direction).sum(), ws_BLD, create_graph=True)
        lengths = gradient.square().sum(dim=2).mean(dim=1).sqrt()
        self.path_mean = self.path_mean.lerp(self.team.mean(lengths.detach().mean()), PATH_MEAN_RATE)
        return (lengths - self.path_mean).square().mean()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a step reads and changes."""
        return {
            "step": self.step,
            "path_mean": self.path_mean,
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "critic": self.critic.state_dict(),
            "augmentation": self.augment.state_dict(),
            "scalers": [self.scaler.state_dict(), self.critic_scaler.state_dict()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.step, self.path_mean = state["step"], state["path_mean"].to(self.device)
        self.generator.load_state_dict(state["generator"])
        self.average.load_state_dict(state["average"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.critic.load_state_dict(state["critic"])
        if "augmentation" in state:  # checkpoints before there was any are taken too
            self.augment.load_state_dict(state["augmentation"])
            for scaler, saved in zip((self.scaler, self.critic_scaler), state["scalers"], strict=True):
                scaler.load_state_dict(saved)


def check_shares(training: GeneratorTraining, team: Team) -> None:
    """Raise `ConfigurationError` when the team cannot share a batch.

    The discriminator compares pictures in groups: in shares of whole groups it compares the same as in the whole batch.
    """
    team.check("the batch size", training.batch, GROUP)


def _adam(module: torch.nn.Module, training: GeneratorTraining, every: int | None) -> torch.optim.Adam:
    """Return Adam, slowed for a penalty that comes every so many steps (arXiv 1912.04958, appendix B)."""
    share = every / (every + 1) if every else 1.0
    beta1, beta2 = training.betas
    return torch.optim.Adam(module.parameters(), lr=training.lr * share, betas=(beta1**share, beta2**share))
