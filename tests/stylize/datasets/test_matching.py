"""Labels find their images, ids are unique, samples come sorted; the same as with plain dicts."""

from __future__ import annotations

import random

from stylize.datasets.matching import Found, Matcher, leading
from stylize.datasets.names import Names
from stylize.datasets.tree import is_image, stem, without_suffix


def match(images: dict[str, str], labels: tuple[str, ...] = (), split: str = "train") -> Found:
    """Match in one group; `images` maps paths to keys."""
    names = Names.in_order([*images, *labels])
    matcher = Matcher(names)
    for number, path in enumerate(names):
        if path in images:
            matcher.add_image("", images[path], number, split)
    for number, path in enumerate(names):
        if path in labels:
            matcher.add_label("", number, path, split)
    return matcher.found()


def test_keys_end_at_boundaries_and_the_longest_comes_first() -> None:
    assert list(leading("a_1_color")) == ["a_1_color", "a_1", "a"]
    assert list(leading("b.x.mask")) == ["b.x.mask", "b.x", "b"]
    assert list(leading("ab")) == ["ab"]
    assert list(leading("")) == []


def test_the_longest_key_wins() -> None:
    found = match({"a.png": "a", "a_1.png": "a_1"}, ("a_1_color.png", "a_12.png", "ab.png"))
    assert {sample.id: sample.labels for sample in found.samples} == {"a": ("a_12.png",), "a_1": ("a_1_color.png",)}
    assert found.orphans == (("train", "ab.png"),)


def test_samples_are_sorted_and_share_labels_of_one_key() -> None:
    found = match({"b_x.png": "b", "a_2.png": "a", "a_1.png": "a"}, ("a_labels.png", "c.png", "c.txt"))
    assert [(sample.id, sample.labels) for sample in found.samples] == [
        ("a_1", ("a_labels.png",)),
        ("a_2", ("a_labels.png",)),
        ("b_x", ()),
    ]
    assert found.orphans == (("train", "c.png"),)


def test_ids_are_unique() -> None:
    found = match({path: stem(path) for path in ("x/a.png", "x/a.jpg", "x/b.png")})
    assert [sample.id for sample in found.samples] == ["x/a.jpg", "x/a.png", "x/b"]


def test_ids_sort_as_ids_and_not_as_paths() -> None:
    found = match({path: stem(path) for path in ("a.png", "a-1.png", "b.png")})
    assert list(found.samples.ids()) == [sample.id for sample in found.samples] == ["a", "a-1", "b"]


def test_groups_are_apart() -> None:
    names = Names(["x/a.png", "y/a.png", "z/a.png"])
    matcher = Matcher(names)
    matcher.add_image("x", "a", 0, "train")
    matcher.add_image("y", "a", 1, "val")
    matcher.add_label("y", 2, "z/a.png")
    assert [(sample.split, sample.labels) for sample in matcher.found().samples] == [
        ("train", ()),
        ("val", ("z/a.png",)),
    ]


def test_a_random_dataset_is_matched_as_dicts_would() -> None:
    rng = random.Random(3)
    parts = ["a", "b", "a_1", "a.b", "a_1.2", "b_", "c-d", "é"]
    images = sorted({f"{rng.choice('pq')}/{rng.choice(parts)}{rng.choice(parts)}.png" for _ in range(60)})
    labels = sorted(
        {f"{rng.choice('pq')}L/{rng.choice(parts)}{rng.choice(parts)}{rng.choice(parts)}.png" for _ in range(90)}
    )
    names = Names.in_order(images + labels)
    matcher = Matcher(names)
    for number, path in enumerate(names):
        if path in images:
            matcher.add_image(path[0], stem(path), number, path[0])
    for number, path in enumerate(names):
        if path in labels:
            matcher.add_label(path[0], number, path, path[0])
    found = matcher.found()
    expected: dict[str, list[str]] = {without_suffix(path): [] for path in images}
    orphans = []
    for path in labels:
        owner = next((f"{path[0]}/{key}" for key in leading(stem(path)) if f"{path[0]}/{key}" in expected), None)
        if owner is None:
            orphans.append((path[0], path))
        else:
            expected[owner].append(path)
    assert [(sample.id, list(sample.labels)) for sample in found.samples] == sorted(expected.items())
    assert list(found.orphans) == orphans
    assert orphans
    assert any(expected.values())
    assert all(is_image(sample.image) and sample.split == sample.image[0] for sample in found.samples)
