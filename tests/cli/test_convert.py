"""`stylize convert` says what it read and what to do with it."""

from __future__ import annotations

from cli.convert import describe
from stylize.models.convert import ConvertSummary


def test_the_summary_names_what_was_read() -> None:
    summary = ConvertSummary(
        src="net.pkl",
        dst="gen.safetensors",
        layout="nvidia",
        architecture="skip",
        image_size=(256, 512),
        num_ws=14,
        z_dim=512,
        w_dim=512,
        c_dim=3,
        parameters=24_700_000,
        bytes=98_800_000,
        sha256="0" * 64,
        notes=("no w_avg: measured from 10,000 latents",),
    )
    assert describe(summary) == [
        "gen.safetensors: 256x512 generator, 24.7 M parameters, 98.8 MB",
        "  nvidia layout, skip architecture, 14 codes of 512, 3 classes",
        "  no w_avg: measured from 10,000 latents",
        "next: stylize train-encoder DATASET OUT --generator gen.safetensors",
    ]
