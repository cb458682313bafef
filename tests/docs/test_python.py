"""Python on the pages compiles, and what it takes from `stylize` exists, with these arguments."""

from __future__ import annotations

import ast
import inspect
import typing
from importlib import import_module
from typing import Any

import pytest

from tests.docs.pages import Block, all_blocks

BLOCKS = [block for block in all_blocks() if block.language == "python"]
ROOTS = ("stylize", "pipelines", "cli")


class Reader:
    """Follows names of one block to the objects of the library, as far as they are sure."""

    def __init__(self, tree: ast.Module) -> None:
        self.objects: dict[str, Any] = {}
        self.types: dict[str, type] = {}  # of variables that a call of the library returned
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.split(".")[0] in ROOTS:
                        self.objects[alias.asname or alias.name.split(".")[0]] = import_module(
                            alias.name if alias.asname else alias.name.split(".")[0]
                        )
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ROOTS:
                for alias in node.names:
                    self.objects[alias.asname or alias.name] = found(str(node.module), alias.name)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                self._remember(node.targets, node.value)

    def _remember(self, targets: list[ast.expr], call: ast.Call) -> None:
        made = self.object_of(call.func)
        kind = (
            made if inspect.isclass(made) else typing.get_type_hints(made).get("return") if made is not None else None
        )
        if inspect.isclass(kind):
            self.types.update({target.id: kind for target in targets if isinstance(target, ast.Name)})

    def object_of(self, node: ast.expr) -> Any:
        """Return what a name or a chain of attributes is; None when it is not the library's."""
        if isinstance(node, ast.Name):
            return self.objects.get(node.id)
        if not isinstance(node, ast.Attribute):
            return None
        if isinstance(node.value, ast.Name) and node.value.id in self.types:
            return member(self.types[node.value.id], node.attr)
        owner = self.object_of(node.value)
        if owner is None:
            return None
        return found(owner.__name__, node.attr) if inspect.ismodule(owner) else getattr(owner, node.attr)


def found(module: str, name: str) -> Any:
    """Return a name of a module; raises AttributeError when there is none."""
    home = import_module(module)
    try:
        return getattr(home, name)
    except AttributeError:
        return import_module(f"{module}.{name}")


def member(kind: type, name: str) -> Any:
    """Return a method of a class, or None for a field; raises AttributeError when there is neither."""
    if hasattr(kind, name):
        return getattr(kind, name) if inspect.isfunction(getattr(kind, name)) else None
    fields = {field for base in kind.__mro__ for field in getattr(base, "__annotations__", {})}
    if name not in fields and f"self.{name}" not in inspect.getsource(kind):
        raise AttributeError(f"{kind.__name__} has no {name}")
    return None


def check(text: str) -> None:
    tree = ast.parse(text)
    reader = Reader(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            reader.object_of(node)
        if not isinstance(node, ast.Call):
            continue
        called = reader.object_of(node.func)
        spread = any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords)
        if called is not None and not spread:
            method = isinstance(node.func, ast.Attribute) and inspect.isfunction(called) and "." in called.__qualname__
            itself = [None] if method else []
            inspect.signature(called).bind(*itself, *node.args, **{str(k.arg): None for k in node.keywords})


def test_there_is_python() -> None:
    assert len(BLOCKS) > 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}:{block.line}")
def test_python_fits_the_library(block: Block) -> None:
    check(block.text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import stylize\nstylize.mixx('a', 'b')", ImportError),
        ("import stylize\nstylize.mix('a', 'b', stiles='c')", TypeError),
        ("import stylize\nb = stylize.load_bundle('camvid')\nb.revert(1)", AttributeError),
        ("import stylize\nb = stylize.load_bundle('camvid')\nb.invert(1, 2)", TypeError),
        ("from stylize.guard import score", ImportError),
        ("import stylize\nstylize.mix('a'", SyntaxError),
    ],
)
def test_a_fault_is_seen(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check(text)


def test_what_is_right_passes() -> None:
    check("import stylize\nb = stylize.load_bundle('camvid')\nc = b.invert(1)\nprint(c.ws_BLD, b.height)")
