"""Reads pickles of foreign networks as data: an interpreter of pickle opcodes that can only build plain values.

Python's own unpickler calls what a file names. This one knows the few names that a StyleGAN2 file needs and has its own
function for each, so nothing outside this module is ever imported or called, and the source code that NVIDIA's files
carry (`module_src`) stays a string. Every value comes out of bytes of the file, so memory stays in proportion to it.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from typing import Any

from stylize.errors import FatalError
from stylize.models.standins import GLOBALS, Array, DType, ForeignModule, Malformed, Standin, module_class, shown

REMEDY = "nothing of it was run; get the network as a pickle of stylegan2-ada-pytorch or stylegan3 without additions"
HINTS = {
    "dnnlib.tflib": "it is a TensorFlow network: convert it with legacy.py of stylegan2-ada-pytorch first",
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MAKERS: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
BROKEN = (ValueError, LookupError)  # what a cut file makes of opcodes, stack and memo


def load_pickle(data: bytes, source: str) -> Any:
    """Return what a pickle holds: dicts, lists, tensors, numbers, texts, and a `ForeignModule` for each network.

    Raises:
        FatalError: the file is cut off or no pickle, or asks for anything else, which the message names.
    """
    machine = Machine(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of escapes in names, which only damage brings
            for opcode, argument, _ in pickletools.genops(data):
                machine.step(opcode.name, argument)
    except Malformed as error:
        raise FatalError(f"{source} is no network that this reads ({shown(error)}): {REMEDY}") from None
    except BROKEN as error:
        raise FatalError(f"{source} is cut off or no pickle ({_first_line(error)}): fetch it again") from None
    return machine.stack.pop()


class Machine:
    """The stack, the marks and the memo of one file."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each open mark
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Carry out one opcode; one that no such file needs is refused by name."""
        if name in VALUES:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in MAKERS:
            self.stack.append(MAKERS[name]())
        elif name in TUPLES:
            self.stack.append(tuple(self._pop(TUPLES[name])))
        else:
            action = getattr(self, f"op_{name.lower()}", None)
            if action is None:
                what = "" if argument is None else f" ({shown(str(argument).replace(' ', '.'), 80)})"
                raise FatalError(f"{self.source} uses the pickle opcode {name}{what}: {REMEDY}")
            action(argument)

    def op_proto(self, _: Any) -> None: ...

    def op_frame(self, _: Any) -> None: ...

    def op_stop(self, _: Any) -> None:
        if len(self.stack) != 1 or self.below:
            raise ValueError("its end leaves values over")

    def op_mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def op_tuple(self, _: Any) -> None:
        items = self._since_mark()
        self.stack.append(tuple(items))

    def op_append(self, _: Any) -> None:
        (item,) = self._pop(1)
        self._top(list).append(item)

    def op_appends(self, _: Any) -> None:
        items = self._since_mark()
        self._top(list).extend(items)

    def op_additems(self, _: Any) -> None:
        items = self._since_mark()
        self._top(set).update(map(_key, items))

    def op_setitem(self, _: Any) -> None:
        key, value = self._pop(2)
        self._top(dict)[_key(key)] = value

    def op_setitems(self, _: Any) -> None:
        items = self._since_mark()
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = value

    def op_memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def op_binput(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def op_binget(self, index: int) -> None:
        self.stack.append(self.memo[index])

    op_put = op_long_binput = op_binput
    op_get = op_long_binget = op_binget

    def op_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(self._find(module, name))

    def op_stack_global(self, _: Any) -> None:
        module, name = self._pop(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise Malformed("a global without a name")
        self.stack.append(self._find(module, name))

    def op_reduce(self, _: Any) -> None:
        function, arguments = self._pop(2)
        if not isinstance(function, Standin) or function.call is None or not isinstance(arguments, tuple):
            raise Malformed(f"a call of {_describe(function)}")
        self.stack.append(_guarded(function.name, function.call, arguments))

    def op_newobj(self, _: Any) -> None:
        cls, arguments = self._pop(2)
        if not isinstance(cls, Standin) or cls.new is None or arguments != ():
            raise Malformed(f"an instance of {_describe(cls)}")
        self.stack.append(cls.new())

    def op_build(self, _: Any) -> None:
        (state,) = self._pop(1)
        target = self.stack[-1]
        if isinstance(target, ForeignModule | DType | Array):
            _guarded(type(target).__name__, target.set_state, (state,))
        elif not isinstance(target, dict):  # attributes that someone hung onto a dict carry no weights
            raise Malformed(f"a state for {_describe(target)}")

    def _find(self, module: str, name: str) -> Standin:
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"  # as protocols before 3 call it
        standin = GLOBALS.get(full) or module_class(full)
        if standin is None:
            hint = next((hint for prefix, hint in HINTS.items() if module.startswith(prefix)), REMEDY)
            raise FatalError(f"{self.source} asks for {shown(full, 200)}, which no StyleGAN2 generator needs: {hint}")
        return standin

    def _pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("its stack runs empty")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def _since_mark(self) -> list[Any]:
        if not self.below:
            raise ValueError("a mark is missing")
        items, self.stack = self.stack, self.below.pop()
        return items

    def _top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise ValueError(f"a {kind.__name__} is missing")
        return self.stack[-1]


def _key(value: Any) -> Any:
    """Return a value that may be a key: flat ones only, because hashing a deep tuple overruns the stack."""
    if value is not None and not isinstance(value, str | int | float | bytes):
        raise Malformed(f"{_describe(value)} as a key")
    return value


def _guarded(name: str, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return call(*arguments)
    except Malformed as error:
        raise Malformed(f"{name}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise Malformed(f"{name}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return shown((str(error).splitlines() or [type(error).__name__])[0], 160)


def _describe(value: Any) -> str:
    return value.name if isinstance(value, Standin) else f"a {type(value).__name__}"
