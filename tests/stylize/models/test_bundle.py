from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from stylize.errors import ConfigurationError, FatalError
from stylize.models import bundle as module
from stylize.models.bundle import (
    Bundle,
    generator_to_bytes,
    load_bundle,
    load_generator,
    make_encoder,
    model_place,
    model_sha256,
)
from stylize.models.encoder import EncoderConfig
from stylize.models.generator import Generator, GeneratorConfig

GENERATOR = GeneratorConfig(const_size=(3, 4), channels=(8, 8, 8, 8), z_dim=8, w_dim=8)
ENCODER = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    made = Bundle.create(GENERATOR, ENCODER, seed=3)
    made.card = {"data": "none", "figures": {"psnr": 1.5}}
    return made.eval()


def header_of(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    found: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["stylize"])
    return found


def write(path: Path, data: bytes, **changes: Any) -> str:
    """Store a model's file with another header."""
    header = {**header_of(data), **changes}
    path.write_bytes(save_tensors(load_tensors(data), metadata={"stylize": json.dumps(header)}))
    return str(path)


def same_state(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_seed_makes_the_same_bundle_and_leaves_the_random_state_alone(bundle: Bundle) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    again = Bundle.create(GENERATOR, ENCODER, seed=3)
    assert torch.equal(torch.rand(1), expected)
    assert same_state(bundle, again)
    assert not same_state(bundle, Bundle.create(GENERATOR, ENCODER, seed=4))
    assert (bundle.height, bundle.width, bundle.num_ws, bundle.w_dim) == (24, 32, 8, 8)
    assert bundle.noise_shapes == ((8, 6, 8), (8, 6, 8))


def test_inversion_gives_the_codes_that_rendering_takes(bundle: Bundle) -> None:
    images = torch.rand(2, 3, 24, 32) * 2 - 1
    codes = bundle.invert(images)
    assert codes.ws_BLD.shape == (2, 8, 8)
    assert [tuple(n.shape) for n in codes.noise] == [(2, 8, 6, 8)] * 2
    rendered = bundle.render(codes.ws_BLD, codes.noise)
    assert rendered.shape == (2, 3, 24, 32)
    assert not rendered.requires_grad
    assert not torch.equal(rendered, bundle.render(codes.ws_BLD))
    assert not torch.equal(rendered, bundle.render(codes.ws_BLD.flip(0), codes.noise))


def test_a_bundle_survives_its_file_in_half_precision(bundle: Bundle, tmp_path: Path) -> None:
    data = bundle.to_bytes()
    assert data == bundle.to_bytes()
    assert {tensor.dtype for tensor in load_tensors(data).values()} == {torch.float16}
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    loaded = load_bundle(str(path), device="cpu")
    for name, tensor in bundle.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float()), name
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert loaded.card == bundle.card
    assert loaded.name == str(path)
    assert loaded.sha256 == hashlib.sha256(data).hexdigest() == model_sha256(str(path))
    assert loaded.to_bytes() == data


def test_a_generator_survives_its_file_bit_for_bit(tmp_path: Path) -> None:
    config = replace(GENERATOR, architecture="resnet", c_dim=2, embed_width=5, conv_clamp=256.0, use_noise=False)
    made = Generator(config)
    path = tmp_path / "g.safetensors"
    path.write_bytes(generator_to_bytes(made))
    assert {tensor.dtype for tensor in load_tensors(path.read_bytes()).values()} == {torch.float32}
    loaded = load_generator(str(path), device="cpu")
    assert loaded.config == config
    assert same_state(made, loaded)
    assert not loaded.training


def test_a_bundle_gives_its_generator(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(bundle.to_bytes(torch.float32))
    assert same_state(load_generator(str(path)), bundle.generator)


def test_files_from_before_an_option_have_its_default(tmp_path: Path) -> None:
    made = Generator(GENERATOR)
    old = {name: value for name, value in GENERATOR.as_dict().items() if name not in ("use_noise", "embed_width")}
    path = write(tmp_path / "g.safetensors", generator_to_bytes(made), generator=old)
    assert same_state(load_generator(path), made)


def test_the_encoder_starts_at_the_generators_average_and_takes_its_noise() -> None:
    made = Generator(GENERATOR)
    made.mapping.w_avg.normal_()
    assert torch.equal(make_encoder(ENCODER, made).w_avg, made.mapping.w_avg)
    with pytest.raises(FatalError, match="noise maps are at 1/2, the generator's at 1/4: set noise_downscale alike"):
        make_encoder(replace(ENCODER, noise_downscale=2), made)


def test_bundled_models_are_known_by_name() -> None:
    for name in module.bundled_models():
        loaded = load_bundle(name, device="cpu")
        assert loaded.card
        assert loaded.name == name


def test_no_such_model_names_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(
        FatalError, match=r"no model '.*gone.safetensors': give a .safetensors file or URL, or a bundled"
    ):
        load_bundle(str(tmp_path / "gone.safetensors"))


@pytest.mark.parametrize("data", [b"", b"abc", b"\x80\x04.", b"\xff" * 64, save_tensors({"a": torch.ones(2)})])
def test_a_foreign_file_points_to_convert(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    for load in (load_bundle, load_generator):
        with pytest.raises(FatalError, match=r"is not a stylize model .*go through `stylize convert`"):
            load(str(path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has format 2, this version reads 1: upgrade stylize"),
        ({"kind": "codec"}, "its header names no kind"),
        ({"generator": {**GENERATOR.as_dict(), "novelty": 1}}, "does not fit this version .*novelty.*: upgrade it"),
        ({"generator": {**GENERATOR.as_dict(), "w_dim": 9}}, "does not fit this version .*size mismatch"),
        ({"encoder": {**ENCODER.as_dict(), "head": 9}}, "does not fit this version .*size mismatch"),
    ],
)
def test_a_file_of_another_version_is_refused_in_one_line(
    changes: dict[str, Any], message: str, bundle: Bundle, tmp_path: Path
) -> None:
    path = write(tmp_path / "m.safetensors", bundle.to_bytes(), **changes)
    with pytest.raises(FatalError, match=message) as caught:
        load_bundle(path)
    assert "\n" not in str(caught.value)


def test_a_generator_alone_is_no_bundle(tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    path.write_bytes(generator_to_bytes(Generator(GENERATOR)))
    with pytest.raises(FatalError, match="is a generator, not a bundle: train an encoder for it"):
        load_bundle(str(path))


def test_an_absent_device_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"no device 'nonsense' here .*--device cpu always works"):
        module.best_device("nonsense")
    assert module.best_device("cpu") == torch.device("cpu")
    assert module.best_device(None).type in ("cpu", "cuda")


def test_bf16_rounds_but_changes_little_and_results_stay_fp32(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bundle.to_bytes())
    exact, rounded = (load_bundle(str(path), device="cpu", precision=name) for name in module.PRECISIONS)
    images = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codes, coarse = exact.invert(images), rounded.invert(images)
    for there, here in zip([codes.ws_BLD, *codes.noise], [coarse.ws_BLD, *coarse.noise], strict=True):
        assert here.dtype == torch.float32
        assert not torch.equal(there, here)
        assert (there - here).abs().mean() < 0.05 * there.abs().mean()
    pictures = rounded.render(codes.ws_BLD, codes.noise)
    assert pictures.dtype == torch.float32
    assert 0 < (pictures - exact.render(codes.ws_BLD, codes.noise)).abs().mean() < 0.05


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fp32 or bf16, not 'fp8'"):
        load_bundle("camvid", precision="fp8")


def test_an_outline_has_shapes_and_hash_but_no_weights(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bundle.to_bytes())
    outline, loaded = module.load_outline(str(path)), load_bundle(str(path), device="cpu")
    for name in ("height", "width", "num_ws", "w_dim", "noise_shapes", "sha256", "card"):
        assert getattr(outline, name) == getattr(loaded, name)
    assert not same_state(outline, loaded)


def test_loading_leaves_the_compiler_alone() -> None:
    """Torch's compiler takes a second to import, and some innocent operations have it imported."""
    code = (
        "import sys; from stylize.models.bundle import load_bundle; bundle = load_bundle('camvid', device='cpu')\n"
        "assert not [name for name in sys.modules if name.startswith('torch._dynamo.')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_model_is_found_from_another_folder_and_a_folder_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.safetensors").write_bytes(b"")
    (tmp_path / "camvid").mkdir()
    assert model_place("own.safetensors") == str(tmp_path / "own.safetensors")
    assert model_place("camvid") == "camvid", "the bundled model, although a folder is called so"
    assert model_place("s3://bucket/own.safetensors") == "s3://bucket/own.safetensors"
