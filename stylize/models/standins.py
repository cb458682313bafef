"""Our own functions and classes for the names that a pickled StyleGAN2 generator asks for; nothing else exists."""

from __future__ import annotations

import io
import math
import pickletools
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

NUMBER_TYPE = re.compile(r"[biufc?]\d{0,2}")
STORAGE_NAME = re.compile(r"torch \w+Storage")
MODULE_CLASS = re.compile(r"torch\.nn\.modules\.\w+\.[A-Z]\w*")
DATA_OPCODES = {  # of a storage: they make values and move them, and call nothing
    *("PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1"),
    *("BINUNICODE", "SHORT_BINUNICODE", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "SETITEM", "SETITEMS"),
    *("APPEND", "APPENDS", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "BINPERSID"),
    *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "MEMOIZE"),
}


def shown(value: object, limit: int = 300) -> str:
    """Return what a file says, fit for a message: one line of printable characters, cut at a limit."""
    return "".join(c if c.isprintable() else "?" for c in str(value)[:limit])


class Malformed(Exception):
    """A value is not what the format says; the message names it."""


@dataclass(eq=False, repr=False)
class ForeignModule:
    """A network or layer as it was stored: the name of its class, and its attributes."""

    class_name: str
    state: dict[str, Any] = field(default_factory=dict)

    def set_state(self, state: Any) -> None:
        """Take over the attributes of a plain `torch.nn` module."""
        self.state.update(_dict(state, "the state of a module"))

    def child(self, name: str) -> ForeignModule | None:
        """Return the module below, or None when there is none of this name."""
        found = self.children().get(name)
        return found if isinstance(found, ForeignModule) else None

    def children(self) -> dict[str, Any]:
        """Return the modules below by name."""
        return _dict(self.state.get("_modules", {}), f"the modules of {self.class_name}")

    def tensors(self) -> dict[str, Tensor]:
        """Return this module's own parameters and buffers by name."""
        found: dict[str, Tensor] = {}
        for kind in ("_parameters", "_buffers"):
            own = _dict(self.state.get(kind, {}), f"{kind} of {self.class_name}")
            found.update({name: value for name, value in own.items() if isinstance(value, Tensor)})
        return found

    def arguments(self, positional: Sequence[str] = ()) -> dict[str, Any]:
        """Return what it was made with by name; `positional` names the arguments that need none."""
        values = self.state.get("_init_args", ())
        if not isinstance(values, tuple | list):
            raise Malformed(f"the arguments of {self.class_name} are a {type(values).__name__}")
        named = _dict(self.state.get("_init_kwargs", {}), f"the arguments of {self.class_name}")
        return {**dict(zip(positional, values, strict=False)), **named}


@dataclass(eq=False, repr=False)
class DType:
    """A numpy number type; its byte order arrives after its name."""

    code: str
    order: str = "<"

    def set_state(self, state: Any) -> None:
        """Take over the byte order."""
        if state[1] not in ("<", ">", "|", "="):
            raise Malformed("an unknown byte order")
        self.order = state[1]

    def resolve(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


@dataclass(eq=False, repr=False)
class Array:
    """A numpy array, filled after it was made."""

    value: np.ndarray[Any, Any] | None = None

    def set_state(self, state: Any) -> None:
        """Take over shape, type and bytes."""
        _, shape, dtype, fortran, content = state
        self.value = _array(content, dtype, shape, "F" if fortran else "C")


@dataclass(frozen=True, eq=False, repr=False)
class Standin:
    """What stands for a name: what a call of it does, and what an instance of it is."""

    name: str
    call: Callable[..., Any] | None = None
    new: Callable[[], Any] | None = None


def module_class(name: str) -> Standin | None:
    """Return a stand-in for a class of `torch.nn`, which is never looked up."""
    if MODULE_CLASS.fullmatch(name) is None:
        return None
    return Standin(name, new=lambda: ForeignModule(name.rpartition(".")[2]))


def _persistent_object(meta: Any) -> ForeignModule:
    """Keep class name and state of an NVIDIA network; its `module_src` is dropped unread."""
    meta = _dict(meta, "a persistent object")
    if meta.get("type") != "class" or not isinstance(meta.get("class_name"), str):
        raise Malformed("a persistent object that is no class")
    return ForeignModule(meta["class_name"], dict(_dict(meta.get("state"), f"the state of {meta['class_name']}")))


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Return a view of a storage; one that reaches beyond it, or repeats its numbers, is malformed."""
    if not isinstance(storage, Tensor):
        raise Malformed("a tensor without a storage")
    numbers = [offset, *size, *stride]
    if len(size) != len(stride) or len(size) > 5 or any(type(n) is not int or n < 0 for n in numbers):
        raise Malformed("a tensor of impossible shape")
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count > storage.numel() or (count and last >= storage.numel()):
        raise Malformed(f"a tensor of {count} numbers in a storage of {storage.numel()}")
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise Malformed("a parameter without numbers")
    return data


def _storage(content: Any) -> Tensor:
    """Return the numbers of a storage that was pickled within the pickle, as a flat tensor."""
    if not isinstance(content, bytes | bytearray):
        raise Malformed("a storage without bytes")
    _check_storage(bytes(content))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of storages that know their type, which is what the format holds
        try:
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            return torch.empty(0, dtype=loaded.dtype).set_(loaded)
        except Exception as error:
            raise Malformed(f"a storage that torch does not read ({type(error).__name__})") from None


def _check_storage(content: bytes) -> None:
    """Look through the five pickles before a storage's numbers: nothing but one storage, no larger than its bytes.

    `weights_only` knows more names than a storage needs, and allocates what a file claims; this does neither.
    """
    stream = io.BytesIO(content)
    try:
        for part in range(5):
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name == "GLOBAL" and STORAGE_NAME.fullmatch(str(argument)):
                    continue
                if opcode.name not in DATA_OPCODES:
                    what = opcode.name if argument is None else str(argument).replace(" ", ".")[:200]
                    raise Malformed(f"its payload asks for {what}")
                if part == 3 and isinstance(argument, int) and argument > len(content):
                    raise Malformed("its payload claims more numbers than it has bytes")
    except ValueError as error:
        raise Malformed(f"its payload is cut off ({error})") from None


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    if not isinstance(dtype, DType) or not isinstance(content, bytes | bytearray):
        raise Malformed("an array without numbers")
    return np.frombuffer(bytes(content), dtype.resolve()).reshape(shape, order=order)


def _scalar(dtype: Any, content: Any) -> Any:
    return _array(content, dtype, (), "C").item()


def _dtype(code: Any, *_: Any) -> DType:
    if not isinstance(code, str) or NUMBER_TYPE.fullmatch(code) is None:
        raise Malformed("a number type that holds no numbers")
    return DType(code)


def _latin1(text: Any, encoding: Any) -> bytes:
    """Return bytes that an old protocol stored as a text."""
    if encoding != "latin1" or not isinstance(text, str):
        raise Malformed("an encoding other than latin1")
    return text.encode("latin1")


def _set(items: Any = ()) -> set[Any]:
    if not isinstance(items, list | tuple) or not all(isinstance(item, str | int) for item in items):
        raise Malformed("a set of other things than names")
    return set(items)


def _no_items() -> dict[Any, Any]:
    return {}


def _dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{what} is a {type(value).__name__}, not a dict")
    return value


def _table() -> dict[str, Standin]:
    standins = [
        Standin("torch_utils.persistence._reconstruct_persistent_obj", _persistent_object),
        Standin("torch._utils._rebuild_parameter", _parameter),
        Standin("torch._utils._rebuild_tensor_v2", _tensor),
        Standin("torch.storage._load_from_bytes", _storage),
        Standin("collections.OrderedDict", _no_items, _no_items),
        Standin("dnnlib.util.EasyDict", _no_items, _no_items),
        Standin("numpy.dtype", _dtype),
        Standin("numpy.ndarray"),  # only as an argument of `_reconstruct`
        Standin("builtins.set", _set),  # protocols before 4 have no opcode for a set
        Standin("_codecs.encode", _latin1),  # protocols before 3 have none for bytes
    ]
    for numpy in ("numpy.core", "numpy._core"):  # numpy 1 and 2
        standins += [
            Standin(f"{numpy}.multiarray.scalar", _scalar),
            Standin(f"{numpy}.multiarray._reconstruct", lambda *_: Array()),
            Standin(f"{numpy}.numeric._frombuffer", _array),
        ]
    return {standin.name: standin for standin in standins}


GLOBALS = _table()
