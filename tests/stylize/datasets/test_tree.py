"""Names: hidden files, keys, copies, ids."""

from __future__ import annotations

import pytest

from stylize.datasets.tree import Tree, copy_path, is_image, is_visible, stem, without_suffix


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
    assert list(Tree(names).paths) == ["a/b.png"]
    assert "report/x.png" in Tree(names[1:]).paths  # without run.json the folder is the user's own


def test_files_of_the_root_and_of_folders_keep_their_numbers() -> None:
    tree = Tree(["b/x.png", "a.txt", "b.png", "a/1.png", "a/sub/2.txt", "b/.hidden"])
    assert list(tree.paths) == ["a.txt", "a/1.png", "a/sub/2.txt", "b.png", "b/x.png"]
    assert {top: list(files) for top, files in tree.tops.items()} == {
        "": ["a.txt", "b.png"],
        "a": ["a/1.png", "a/sub/2.txt"],
        "b": ["b/x.png"],
    }
    assert list(tree.files("a")) == [(1, "a/1.png"), (2, "a/sub/2.txt")]
    assert list(tree.images("")) == [(3, "b.png")]
    assert list(tree.files("missing")) == []
