"""Names: hidden files, keys, copies, ids."""

from __future__ import annotations

import pytest

from stylize.datasets.tree import Matcher, Tree, copy_path, is_image, is_visible, leading_key, stem, without_suffix


@pytest.mark.parametrize(
    ("path", "key", "copy"),
    [
        ("leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png", "aachen_000000_000019",
         "leftImg8bit/train/aachen/aachen_000000_000019__1_leftImg8bit.png"),
        ("train/0001TP_006690.png", "0001TP_006690", "train/0001TP_006690__1.png"),
        ("a.b.jpg", "a.b", "a.b__1.jpg"),
        ("a", "a", "a__1"),
    ],
)  # fmt: skip
def test_copies_are_numbered_after_the_key(path: str, key: str, copy: str) -> None:
    assert copy_path(path, key, 1) == copy


def test_a_foreign_key_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin with its key"):
        copy_path("a/b.png", "a", 1)


@pytest.mark.parametrize("path", [".DS_Store", "a/._b.png", ".thumbnails/a.png", "__MACOSX/a.png", "a/@eaDir/b.png"])
def test_what_systems_leave_behind_is_not_visible(path: str) -> None:
    assert not is_visible(path)
    assert is_visible("a/b.c/d_.png")


def test_image_suffixes_in_any_case() -> None:
    assert is_image("A.PNG")
    assert is_image("a.b/c.JpEg")
    assert not is_image("Thumbs.db")
    assert not is_image("png")
    assert not is_image("a.png/readme")


def test_stems() -> None:
    assert stem("a/b.c.png") == "b.c"
    assert without_suffix("a.b/c") == "a.b/c"
    assert without_suffix("a/.hidden") == "a/.hidden"


def test_the_longest_key_wins_and_ends_at_a_boundary() -> None:
    known = {"a", "a_1", "b.x"}
    assert leading_key("a_1_color", known) == "a_1"
    assert leading_key("a_1", known) == "a_1"
    assert leading_key("a_12", known) == "a"
    assert leading_key("b.x.mask", known) == "b.x"
    assert leading_key("ab", known) is None
    assert leading_key("", known) is None


def test_the_files_of_a_run_are_not_content() -> None:
    names = [
        "run.json",
        "manifest.json",
        "sheet.png",
        "commits/0.json",
        "provenance/0.parquet",
        "report/x.png",
        "a/b.png",
    ]
    assert Tree(names).paths == ["a/b.png"]
    assert "report/x.png" in Tree(names[1:]).paths  # without run.json the folder is the user's own


def test_samples_are_sorted_and_share_labels_of_one_key() -> None:
    matcher = Matcher()
    for path in ("b_x.png", "a_2.png", "a_1.png"):
        matcher.add_image("", path[0], path, "train")
    matcher.add_label("", "a_labels.png")
    matcher.add_label("", "c.png", "train")
    matcher.add_label("", "c.txt", "train")
    found = matcher.found()
    assert [(sample.id, sample.labels) for sample in found.samples] == [
        ("a_1", ("a_labels.png",)),
        ("a_2", ("a_labels.png",)),
        ("b_x", ()),
    ]
    assert found.orphans == (("train", "c.png"),)


def test_ids_are_unique() -> None:
    matcher = Matcher()
    for path in ("x/a.png", "x/a.jpg", "x/b.png"):
        matcher.add_image("x", stem(path), path, "")
    assert [sample.id for sample in matcher.found().samples] == ["x/a.jpg", "x/a.png", "x/b"]
