"""Hold the walls between the packages by walking every import of the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("stylize", "pipelines", "cli")

# Imported module -> the only places that may import it: a package, or one file of it.
ALLOWED_IN = {
    "click": ("cli/",),
    "rich": ("cli/",),
    "ray": ("pipelines/",),
    "fsspec": ("stylize/storage.py",),
    "cli": ("cli/",),
    # The facade names the functions of `pipelines` for type checkers and loads them on first use.
    "pipelines": ("pipelines/", "cli/", "stylize/__init__.py"),
    # A name given at run time escapes this test, so only the tables of lazily loaded modules may load one.
    "importlib.import_module": ("stylize/__init__.py", "cli/main.py", "pipelines/verify.py"),
    # The name of this machine, to say who holds an output, and whether anybody listens at a cluster's address.
    "socket": ("pipelines/lease.py", "pipelines/cluster.py"),
    # The network is reached through fsspec or not at all.
    **dict.fromkeys(("boto3", "gcsfs", "http", "requests", "s3fs", "urllib.request"), ()),
}


def sources(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute module name) of every import, also those inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write imports from the root, not relative ones"
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Attribute) and node.attr == "import_module":
            yield node.lineno, "importlib.import_module"


def breaches(path: str, source: str) -> list[str]:
    """List the imports of `source` that its place in the tree forbids."""
    found = []
    for line, module in imports(source):
        for name, places in ALLOWED_IN.items():
            inside = module == name or module.startswith(name + ".")
            if inside and not path.startswith(places or ("nowhere",)):
                found.append(f"{path}:{line} imports {name}")
    return sorted(set(found))


def prints(source: str) -> list[int]:
    """List the lines that call print or write to a standard stream."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            lines.append(node.lineno)
        if isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr") and ast.unparse(node.value) == "sys":
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_stay_within_their_walls(package: str) -> None:
    files = sources(package)
    assert files
    found = [b for f in files for b in breaches(f.relative_to(REPOSITORY).as_posix(), f.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize("package", ["stylize", "pipelines"])
def test_library_never_prints(package: str) -> None:
    found = [f"{f.relative_to(REPOSITORY)}:{n}" for f in sources(package) for n in prints(f.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("stylize/codec.py", "import fsspec"),
        ("stylize/codec.py", "def f():\n    from fsspec.core import url_to_fs"),
        ("stylize/codec.py", "import ray.util"),
        ("stylize/codec.py", "from pipelines import invert"),
        ("stylize/codec.py", "from importlib import import_module"),
        ("stylize/codec.py", "import importlib\nimportlib.import_module('ray')"),
        ("stylize/storage.py", "import s3fs"),
        ("stylize/storage.py", "from urllib import request"),
        ("pipelines/mix.py", "import click"),
        ("pipelines/mix.py", "from rich.progress import Progress"),
        ("pipelines/mix.py", "from cli import options"),
        ("cli/main.py", "import ray"),
    ],
)
def test_a_breach_is_seen(path: str, source: str) -> None:
    assert len(breaches(path, source)) == 1


def test_a_print_is_seen() -> None:
    assert prints("def f():\n    print(1)\n    sys.stderr.write('')") == [2, 3]


@pytest.mark.parametrize("module", ["stylize", "cli.main"])
def test_importing_is_light(module: str) -> None:
    heavy = {"torch", "torchvision", "ray", "pyarrow", "numpy", "PIL", "fsspec", "rich"}
    script = f"import sys, {module}; print(*sorted(m for m in sys.modules if '.' not in m))"
    result = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert heavy & set(result.stdout.split()) == set()
