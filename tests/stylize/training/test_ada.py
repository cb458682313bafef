from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.training.ada import EVERY, MOVE, P_MAX, Augmentation, draw_colours, draw_moves, move, recolour
from stylize.training.pictures import step_rng

HEIGHT, WIDTH = 12, 20


def pictures(count: int = 6) -> Tensor:
    coarse = torch.rand(count, 3, 4, 5, generator=step_rng(0, 0, "pictures")) * 2 - 1
    return F.interpolate(coarse, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)


def moves(**changed: float) -> Tensor:
    """One matrix of a flip (-1), a zoom, a turn and a move by pixels."""
    flip, zoom, angle = (changed.get(name, default) for name, default in (("flip", 1), ("zoom", 1), ("angle", 0)))
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    rows = [[flip * cos, flip * sin, changed.get("right", 0)], [-sin, cos, changed.get("down", 0)]]
    return torch.tensor([rows])


def test_nothing_happens_at_probability_0() -> None:
    augment, images, rng = Augmentation(0.6, 100), pictures(), step_rng(0, 0, "test")
    state = rng.get_state()
    assert augment(images, rng) is images
    assert torch.equal(rng.get_state(), state)


def test_identity_is_identity() -> None:
    images = pictures(1)
    assert torch.allclose(move(images, moves()), images, atol=1e-5)
    colours = draw_colours(5, 0.0, step_rng(0, 0, "test"))
    assert torch.allclose(recolour(images.expand(5, -1, -1, -1), colours), images, atol=1e-6)
    assert torch.allclose(draw_moves(5, HEIGHT, WIDTH, 0.0, step_rng(0, 0, "test")), moves())


def test_moves_are_what_they_are_called() -> None:
    images = pictures(1)
    assert torch.allclose(move(images, moves(flip=-1)), images.flip(-1), atol=1e-5)
    shifted = move(images, moves(right=3, down=-2))
    assert torch.allclose(shifted[:, :, 2:, :-3], images[:, :, :-2, 3:], atol=1e-5)
    assert torch.allclose(shifted[:, :, 2:, -3:], images[:, :, :-2, -3:].flip(-1), atol=1e-5), "mirrored beyond"
    assert torch.allclose(move(images, moves(angle=math.pi)), images.flip(-1, -2), atol=1e-5)
    square = images[..., :HEIGHT]
    assert torch.allclose(move(square, moves(angle=math.pi / 2)), square.rot90(-1, (2, 3)), atol=1e-5)


def test_a_turn_keeps_circles_round_in_wide_pictures() -> None:
    y, x = torch.meshgrid(torch.arange(40) - 19.5, torch.arange(64) - 31.5, indexing="ij")
    disc = torch.exp(-(x.square() + y.square()) / 32).expand(1, 3, -1, -1)
    turned = move(disc, moves(angle=0.7))
    assert torch.allclose(turned[..., 8:-8, 8:-8], disc[..., 8:-8, 8:-8], atol=0.02)
    larger = move(disc, moves(zoom=2.0))
    assert larger.sum().item() == pytest.approx(4 * disc.sum().item(), rel=0.1)


def characteristic(p: float, count: int = 40_000) -> dict[str, Tensor]:
    """The characteristic functions of what is drawn at probability `p`, over many frequencies."""
    drawn = draw_moves(count, HEIGHT, 200, p, step_rng(1, 0, "test")).double()
    flip = torch.sign(drawn[:, 0, 0] * drawn[:, 1, 1] - drawn[:, 0, 1] * drawn[:, 1, 0])
    angle = torch.atan2(-drawn[:, 1, 0], drawn[:, 1, 1])
    zoom = -drawn[:, 1, :2].norm(dim=1).log()
    colours = draw_colours(count, p, step_rng(2, 0, "test")).double()
    contrast = colours[:, 0, :3].sum(dim=1).log()
    values = {
        "turn": (angle, torch.arange(1, 8)),
        "right": (drawn[:, 0, 2], torch.linspace(0.01, math.pi, 60)),
        "zoom": (zoom, torch.linspace(0.5, 40, 20)),
        "contrast": (contrast, torch.linspace(0.5, 20, 20)),
    }
    found = {name: torch.exp(1j * x[None] * k[:, None]).mean(dim=1).real for name, (x, k) in values.items()}
    return found | {"flip": flip.mean()[None]}


def test_no_change_can_leak_up_to_the_largest_probability() -> None:
    # A change leaks when different pictures can look alike after it: when its distribution has a zero frequency.
    noise = 3 / math.sqrt(40_000)
    assert all((values > noise / 2).all() for values in characteristic(P_MAX).values())
    assert characteristic(0.95)["right"].min() < -noise, "beyond it, moves would leak"


def test_moves_are_by_whole_pixels_and_flips_as_likely_as_not() -> None:
    drawn = draw_moves(4000, HEIGHT, WIDTH, P_MAX, step_rng(1, 0, "test"))
    shifts = drawn[:, :, 2]
    assert torch.equal(shifts, shifts.round())
    assert shifts[:, 0].abs().max() == round(MOVE * WIDTH)
    upright = drawn[(drawn[:, 1, 0] == 0)]
    assert (upright[:, 0, 0] < 0).float().mean().item() == pytest.approx(P_MAX / 2, abs=0.05)


def test_a_share_is_changed_as_in_the_whole_batch() -> None:
    augment, images = Augmentation(0.6, 100), pictures()
    augment.p = 0.7
    whole = augment(images, step_rng(0, 0, "test"))
    assert torch.equal(augment(images[1::2], step_rng(0, 0, "test"), slice(1, None, 2), 6), whole[1::2])


def nodes(tensor: Tensor) -> set[str]:
    found: set[str] = set()
    waiting: list[Any] = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node.name() not in found:
            found.add(node.name())
        waiting += [inner for inner, _ in node.next_functions] if node is not None else []
    return found


def test_gradients_pass_without_indexing() -> None:
    augment, images = Augmentation(0.6, 100), pictures().requires_grad_()
    augment.p = P_MAX
    changed = augment(images, step_rng(0, 0, "test"))
    assert not any("Index" in name for name in nodes(changed)), "slow backwards on CPUs"
    (gradient,) = torch.autograd.grad(changed.sum(), images)
    assert gradient.isfinite().all()
    assert (gradient.flatten(1).abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize(("sign", "p"), [(1.0, 0.4), (0.1, 0.0)])
def test_the_probability_follows_the_logits_of_real_pictures(sign: float, p: float) -> None:
    augment = Augmentation(0.6, images=100)
    for _ in range(EVERY - 1):
        augment.observe(sign, 10)
    assert augment.p == 0
    augment.observe(sign, 10)
    assert augment.p == pytest.approx(p)


def test_the_probability_stays_where_nothing_leaks() -> None:
    augment = Augmentation(0.6, images=100)
    for _ in range(20 * EVERY):
        augment.observe(1.0, 10)
    assert augment.p == P_MAX
    for _ in range(20 * EVERY):
        augment.observe(-1.0, 10)
    assert augment.p == 0


def test_the_state_is_whole() -> None:
    augment, other = Augmentation(0.6, 100), Augmentation(0.6, 100)
    for _ in range(EVERY + 2):
        augment.observe(1.0, 10)
    other.load_state_dict(augment.state_dict())
    for each in (augment, other):
        each.observe(-1.0, 10)
        each.observe(0.9, 10)
    assert other.state_dict() == augment.state_dict()
    assert augment.p == 0, "the mean over four steps counts"
