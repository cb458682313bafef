from __future__ import annotations

import argparse
import builtins
import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from stylize.errors import ConfigurationError, FatalError, NotFound
from stylize.models.bundle import load_generator
from stylize.models.convert import ConvertSummary, convert, shapes_of
from stylize.models.generator import Generator
from stylize.models.nvidia import read_nvidia
from stylize.models.unpickle import load_pickle
from tests.stylize.models import foreign, reference

TOLERANCE = 1e-4  # relative to the spread of the picture's values, which are not in [-1, 1] for random weights


def converted(data: bytes, folder: Path, name: str = "net.pkl") -> tuple[Generator, ConvertSummary]:
    (folder / name).write_bytes(data)
    summary = convert(str(folder / name), str(folder / "out.safetensors"))
    return load_generator(str(folder / "out.safetensors"), device="cpu"), summary


def refused(data: bytes, message: str, folder: Path, name: str = "net.pkl") -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(FatalError, match=message) as caught:
        convert(str(folder / name), str(folder / "out.safetensors"))
    assert str(caught.value).startswith(str(folder / name))
    assert "\n" not in str(caught.value)
    assert not (folder / "out.safetensors").exists()


def agree(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == theirs.shape
    assert theirs.std() > 0.1
    assert (ours - theirs).abs().max() < TOLERANCE * max(1.0, theirs.std().item())


NVIDIA = {
    "stylegan2-ada-pytorch": {},
    "stylegan3": {"flat": True, "conv_clamp": 256, "channels_last": True},
    "residual, limited": {"architecture": "resnet", "conv_clamp": 1.5},
    "original": {"architecture": "orig", "img_resolution": 16},
    "class-conditional": {"c_dim": 5, "mapping_kwargs": {"num_layers": 2, "embed_features": 7, "layer_features": 20}},
    "without noise": {"use_noise": False, "img_channels": 1, "img_resolution": 8},
    "other multiplier": {"mapping_kwargs": {"num_layers": 1, "lr_multiplier": 0.3}, "conv_clamp": 0.7},
}


@pytest.mark.parametrize("options", NVIDIA.values(), ids=NVIDIA)
def test_an_nvidia_network_makes_the_same_pictures(options: dict[str, Any], tmp_path: Path) -> None:
    theirs = foreign.make_generator(**options)
    ours, summary = converted(foreign.dump(foreign.snapshot(theirs)), tmp_path)
    z = torch.randn(3, 12)
    c = F.one_hot(torch.arange(3), options["c_dim"]).float() if "c_dim" in options else None
    lr_multiplier = options.get("mapping_kwargs", {}).get("lr_multiplier", 0.01)
    w = reference.mapping(theirs.mapping, z, c, lr_multiplier)
    agree(ours.mapping(z, c), w[:, None].expand(3, theirs.num_ws, 16))
    agree(ours.mapping(z, c, 0.3)[:, 0], theirs.mapping.w_avg + 0.3 * (w - theirs.mapping.w_avg))
    ws = torch.randn(3, theirs.num_ws, 16)
    agree(ours.synthesis(ws), reference.synthesis(theirs.synthesis.blocks(), ws, options.get("conv_clamp")))
    assert summary.layout == "nvidia"
    assert summary.architecture == options.get("architecture", "skip")
    assert summary.image_size == (options.get("img_resolution", 32),) * 2
    assert (summary.num_ws, summary.w_dim, summary.notes) == (theirs.num_ws, 16, ())
    assert summary.parameters == sum(p.numel() for p in theirs.parameters())
    assert not hasattr(builtins, "module_src_was_executed")


@pytest.mark.parametrize("options", NVIDIA.values(), ids=NVIDIA)
def test_shapes_are_known_without_making_a_generator(options: dict[str, Any]) -> None:
    theirs = foreign.make_generator(**options)
    config, _ = read_nvidia(load_pickle(foreign.dump(theirs), "net.pkl"), "net.pkl")
    made = Generator(config)
    assert shapes_of(config) == {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_gives_the_same_file(protocol: int, tmp_path: Path) -> None:
    theirs = foreign.make_generator(img_resolution=16)
    _, summary = converted(foreign.dump(theirs, protocol), tmp_path)  # a network alone, not a snapshot
    (tmp_path / "again.pkl").write_bytes(foreign.dump({"G_ema": theirs}))
    again = convert(str(tmp_path / "again.pkl"), str(tmp_path / "again.safetensors"))
    assert summary.sha256 == again.sha256
    content = (tmp_path / "out.safetensors").read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (summary.bytes, summary.sha256)


def test_without_attributes_the_arguments_count(tmp_path: Path) -> None:
    theirs = foreign.make_generator(conv_clamp=1.5, mapping_kwargs={"num_layers": 2, "lr_multiplier": 0.2})
    for module in theirs.modules():
        for name in ("conv_clamp", "activation", "bias_gain"):
            module.__dict__.pop(name, None)
        if module is not theirs:
            module.__dict__.pop("_init_kwargs", None)
            module.__dict__.pop("_init_args", None)
    ours, _ = converted(foreign.dump({"G_ema": theirs}), tmp_path)
    ws, z = torch.randn(2, 8, 16), torch.randn(2, 12)
    agree(ours.synthesis(ws), reference.synthesis(theirs.synthesis.blocks(), ws, 1.5))
    agree(ours.mapping(z)[:, 0], reference.mapping(theirs.mapping, z, None, 0.2))


@pytest.mark.parametrize("c_dim", [0, 3])
def test_a_missing_average_w_is_measured_and_said(c_dim: int, tmp_path: Path) -> None:
    options = {"num_layers": 2, "w_avg_beta": None}
    theirs = foreign.make_generator(img_resolution=8, c_dim=c_dim, mapping_kwargs=options)
    ours, summary = converted(foreign.dump({"G_ema": theirs}), tmp_path)
    assert summary.notes == ("the file holds no average w: it was taken over 10000 random latents",)
    z = torch.randn(20_000, 12, generator=torch.Generator().manual_seed(9))
    c = F.one_hot(torch.arange(20_000) % c_dim, c_dim).float() if c_dim else None
    assert (ours.mapping.w_avg - ours.mapping(z, c)[:, 0].mean(dim=0)).abs().max() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "swish"}, "activation 'swish' is not supported, only lrelu is"),
        ({"mapping_kwargs": {"num_layers": 1, "activation": "relu"}}, "activation 'relu' is not supported"),
        ({"resample_filter": (1.0, 2.0, 1.0)}, "resample_filter .* is not supported, only \\[1, 3, 3, 1\\] is"),
        ({"resample_filter": (1.0, 4.0, 4.0, 1.0)}, "resample_filter .* is not supported"),
        ({"img_resolution": 4}, "4x4 pixels leave no room for noise maps"),
    ],
)
def test_options_that_would_change_pictures_are_refused_by_name(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    refused(foreign.dump({"G_ema": foreign.make_generator(**options)}), message, tmp_path)


def damaged(how: str) -> Any:
    """Return a snapshot with one thing wrong."""
    network = foreign.make_generator(img_resolution=16)
    last = network.synthesis.b8.conv1
    if how.startswith("no "):
        owner, _, name = how[3:].rpartition(".")
        delattr(network.get_submodule(owner), name)
    elif how == "limits differ":
        last.conv_clamp = 3.0
    elif how == "limit is a text":
        for layer in network.modules():
            layer.__dict__.update({"conv_clamp": "256"} if "conv_clamp" in layer.__dict__ else {})
    elif how == "kernel":
        last.weight = torch.nn.Parameter(torch.randn(16, 16, 1, 1))
    elif how == "claims":
        last.weight = torch.nn.Parameter(torch.randn(10**6, 1, 1, 1))
    elif how == "arguments":
        network._init_kwargs["w_dim"] = 512
    elif how == "kinds":
        last.conv_clamp = [1.0]
    elif how == "embedding":
        network.mapping.embed = foreign.FullyConnectedLayer(2, 99)
        network._init_kwargs.clear()
    elif how == "alias-free":
        network.synthesis = torch.nn.Sequential(torch.nn.Linear(1, 1))
    return {"G_ema": network}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no synthesis.b8", "is made of b4, b16, not of blocks b4, b8, ..."),
        ("no mapping.fc0", "mapping network has no layer fc0 but fc1, fc2"),
        ("no synthesis.b8.conv1.weight", "SynthesisLayer has no weight"),
        ("no synthesis.b8.conv1.noise_const", "conv1.noise_const is nothing, expected \\(8, 8\\)"),
        ("limits differ", "its layers have conv_clamp \\[None, 3.0\\]"),
        ("limit is a text", "conv_clamp \\['256'\\]"),
        ("kernel", "1.conv1.weight is \\(16, 16, 1, 1\\), expected \\(16, 16, 3, 3\\)"),
        ("claims", "does not fit together: .* is .*, expected \\(.*1000000"),
        ("arguments", "it says w_dim 512 but its tensors are of 16"),
        ("kinds", "its generator is damaged"),
        ("embedding", "narrower than its class embedding"),
        ("alias-free", "only StyleGAN2 generators are read"),
    ],
)
def test_a_damaged_network_is_refused_by_what_is_wrong(how: str, message: str, tmp_path: Path) -> None:
    refused(foreign.dump(damaged(how)), message, tmp_path)


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch mark",)


@pytest.mark.parametrize("name", ["net.pkl", "net.pt"])
def test_a_hostile_file_is_refused_by_what_it_asks_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    snapshot = {"G_ema": foreign.make_generator(img_resolution=8), "D": Hostile()}
    refused(foreign.dump(snapshot), r"asks for (posix|nt).system", tmp_path, name)
    for legacy in (True, False):
        data = foreign.save_torch({"g_ema": foreign.rosinality_state(), "args": Hostile()}, legacy=legacy)
        refused(data, r"asks for (posix|nt).system.*nothing of it was run", tmp_path, name)
    assert not (tmp_path / "mark").exists()


def rosinality_blocks(state: dict[str, torch.Tensor]) -> list[Any]:
    """Return the layers of a checkpoint in the form that the reference reads, its scales applied."""

    def layer(name: str, noise: int | None = None) -> Any:
        made = argparse.Namespace(
            weight=state[f"{name}.conv.weight"][0],
            affine=argparse.Namespace(
                weight=state[f"{name}.conv.modulation.weight"], bias=state[f"{name}.conv.modulation.bias"]
            ),
        )
        if noise is None:
            made.bias = state[f"{name}.bias"].flatten()
            return made
        made.weight = made.weight / made.weight[0].numel() ** 0.5  # demodulation follows this scale there
        made.bias = state[f"{name}.activate.bias"]
        made.noise_const, made.noise_strength = state[f"noises.noise_{noise}"], state[f"{name}.noise.weight"]
        return made

    blocks = [argparse.Namespace(const=state["input.input"][0], conv1=layer("conv1", 0), torgb=layer("to_rgb1"))]
    for i in range(sum(name.startswith("to_rgbs.") and name.endswith(".bias") for name in state) // 2):
        convolutions = {f"conv{k}": layer(f"convs.{2 * i + k}", 2 * i + 1 + k) for k in (0, 1)}
        blocks.append(argparse.Namespace(**convolutions, torgb=layer(f"to_rgbs.{i}")))
    return blocks


@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_rosinality_checkpoint_makes_the_same_pictures(legacy: bool, size: int, tmp_path: Path) -> None:
    state, average = foreign.rosinality_state(size=size), torch.randn(16)
    data = foreign.save_torch({"g": {}, "g_ema": state, "latent_avg": average}, legacy=legacy)
    ours, summary = converted(data, tmp_path, "net.pt")
    assert (summary.layout, summary.image_size, summary.notes) == ("rosinality", (size, size), ())
    blocks = rosinality_blocks(state)
    ws, z = torch.randn(2, 2 * len(blocks), 16), torch.randn(2, 16)
    agree(ours.synthesis(ws), reference.synthesis(blocks, ws))
    fc = {
        f"fc{i}": argparse.Namespace(weight=state[f"style.{i + 1}.weight"], bias=state[f"style.{i + 1}.bias"])
        for i in range(3)
    }
    w = reference.mapping(argparse.Namespace(**fc), z)
    agree(ours.mapping(z)[:, 0], w)
    agree(ours.mapping(z, truncation_psi=0.5)[:, 0], (w + average) / 2)


def test_a_training_checkpoint_with_its_options_is_read(tmp_path: Path) -> None:
    state = foreign.rosinality_state(size=8)
    adam = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.002}]}
    options = argparse.Namespace(size=8, lr=0.002, path="data")
    checkpoint = {"g_ema": state, "g_optim": adam, "args": options, "ada_aug_p": 0.1}
    for name in [name for name in state if name.startswith("noises.")]:
        del state[name]  # as in the oldest checkpoints
    ours, summary = converted(foreign.save_torch(checkpoint), tmp_path, "net.pt")
    assert summary.notes == ("the file holds no average w: it was taken over 10000 random latents",)
    assert ours.synthesis.blocks[1].conv1.noise_const.std() > 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("convs.0.conv.weight"), "its generator has no convs.0.conv.weight"),
        (lambda s: s.pop("style.1.weight"), "does not fit together|its generator has no style"),
        (lambda s: s.update({"convs.0.conv.blur.kernel": torch.ones(4, 4)}), "filter convs.0.conv.blur.kernel is not"),
        (lambda s: s.update({"input.input": torch.ones(3)}), "its constant has the shape"),
        (lambda s: s.update({"conv1.activate.bias": torch.ones(3)}), "does not fit together: .*blocks.0.conv1.bias"),
        (lambda s: s.update({"to_rgb1.conv.weight": torch.ones(3)}), "damaged or of another layout: "),
        (lambda s: s.update({"extra": 3}), "holds no generator g_ema but g_ema"),
    ],
)
def test_a_damaged_checkpoint_is_refused_by_what_is_wrong(change: Any, message: str, tmp_path: Path) -> None:
    state = foreign.rosinality_state(size=16)
    change(state)
    refused(foreign.save_torch({"g_ema": state}), message, tmp_path, "net.pt")


def test_other_files_are_refused_by_what_they_are(tmp_path: Path) -> None:
    refused(foreign.dump({"G": 1, "D": None}), "holds no network G_ema but G, D", tmp_path)
    refused(foreign.dump([foreign.make_generator()]), "holds no network G_ema but a list", tmp_path)
    refused(foreign.save_torch({"model": {"a": torch.ones(2)}}), "holds no generator g_ema but model", tmp_path)
    refused(foreign.save_torch(torch.ones(2)), "holds no generator g_ema but a Tensor", tmp_path)
    refused(b"\x89PNG....", "is neither a pickle nor a PyTorch file", tmp_path)
    refused(b"", "is neither a pickle nor a PyTorch file", tmp_path)
    whole = foreign.save_torch({"g_ema": foreign.rosinality_state()})
    refused(whole[:-100], "is cut off or no PyTorch file", tmp_path)
    legacy = foreign.save_torch({"g_ema": foreign.rosinality_state()}, legacy=True)
    refused(legacy[:-1000], "is cut off or no PyTorch file", tmp_path)
    refused(foreign.dump({"G_ema": foreign.make_generator()})[:-1000], "is cut off", tmp_path)


def test_an_archive_that_unpacks_to_more_than_its_size_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10**6)
    refused((tmp_path / "bomb.zip").read_bytes(), "unpacks to 1000000 bytes, more than its size", tmp_path)


def test_a_file_that_exists_is_replaced_only_on_request(tmp_path: Path) -> None:
    (tmp_path / "net.pkl").write_bytes(foreign.dump(foreign.make_generator(img_resolution=8)))
    src, dst = str(tmp_path / "net.pkl"), str(tmp_path / "new" / "out.safetensors")
    convert(src, dst)
    with pytest.raises(ConfigurationError, match="exists: pass --overwrite"):
        convert(src, dst)
    assert convert(src, dst, overwrite=True).bytes == Path(dst).stat().st_size
    with pytest.raises(NotFound, match=r"gone\.pkl"):
        convert(str(tmp_path / "gone.pkl"), dst, overwrite=True)


def test_paths_may_be_urls() -> None:
    from stylize.storage import Storage

    Storage("memory://convert").write("net.pkl", foreign.dump(foreign.make_generator(img_resolution=8)))
    convert("memory://convert/net.pkl", "memory://convert/out.safetensors", overwrite=True)
    assert load_generator("memory://convert/out.safetensors").image_size == (8, 8)
