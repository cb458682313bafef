from __future__ import annotations

import argparse
import builtins
import collections
import os
import pickle
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stylize.errors import FatalError
from stylize.models.standins import ForeignModule
from stylize.models.unpickle import load_pickle
from tests.stylize.models import foreign

PROTOCOLS = [2, 3, 4, 5]


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> Any:
        return self.reduced


class Stateful(Call):
    """A call whose result is then given a state."""

    def __init__(self, state: Any, function: Any, *arguments: Any) -> None:
        super().__init__(function, *arguments)
        self.reduced = (function, arguments, state)  # type: ignore[assignment]


def load(value: Any, protocol: int | None = None) -> Any:
    return load_pickle(foreign.dump(value, protocol), "net.pkl")


def refuse(data: bytes, message: str) -> None:
    with pytest.raises(FatalError, match=message) as caught:
        load_pickle(data, "net.pkl")
    assert str(caught.value).startswith("net.pkl ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back_as_they_were(protocol: int) -> None:
    value = {
        "numbers": [1, -7, 2**40, 2**80, 0.5, True, False, None],
        "texts": ("", "é", "x" * 300, b"bytes" * 99),
        "nested": [[], {}, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {"a": {"b": [1]}}],
        "set": {"a", "b"},
        7: collections.OrderedDict(x=1, y=[2]),
        "easy": foreign.EasyDict(path="a", options=foreign.EasyDict(n=1)),
        "same": [shared := [1], shared],
        "numpy": [np.float64(0.25), np.float32(0.5), np.int64(-3), np.bool_(True)],
    }
    loaded = load(value, protocol)
    assert loaded["numpy"] == [0.25, 0.5, -3, True]
    assert loaded == value
    assert loaded["same"][0] is loaded["same"][1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_keep_numbers_type_and_shape(protocol: int) -> None:
    for array in (
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=">i4").reshape(3, 2)),
        np.eye(2) > 0,
    ):
        loaded = load({"a": array}, protocol)["a"]
        loaded = getattr(loaded, "value", loaded)  # filled after it was made, up to protocol 4
        assert np.array_equal(loaded, array)
        assert loaded.dtype == array.dtype


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tensors_of_every_layout_come_back(protocol: int) -> None:
    base = torch.randn(4, 6, 3, 3)
    value = {
        "plain": base,
        "parameter": nn.Parameter(base.clone()),
        "channels_last": base.to(memory_format=torch.channels_last),
        "view": base[1:3, ::2],
        "half": base.half(),
        "scalar": torch.tensor(2.5),
        "integers": torch.arange(5),
        "empty": torch.zeros(0, 3),
    }
    loaded = load(value, protocol)
    for name, tensor in value.items():
        assert torch.equal(loaded[name], tensor), name
        assert loaded[name].dtype == tensor.dtype


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_networks_become_names_and_states_and_their_source_never_runs(protocol: int) -> None:
    layer = foreign.FullyConnectedLayer(3, 2, lr_multiplier=0.5)
    layer.parts = nn.Sequential(nn.Linear(2, 2), nn.ModuleDict({"a": nn.LeakyReLU(0.2)}))
    loaded = load({"G": layer}, protocol)["G"]
    assert isinstance(loaded, ForeignModule)
    assert loaded.class_name == "FullyConnectedLayer"
    assert loaded.state["weight_gain"] == pytest.approx(0.5 / 3**0.5)
    assert loaded.arguments(("inputs", "outputs")) == {
        "inputs": 3, "outputs": 2, "lr_multiplier": 0.5, "activation": "linear"
    }  # fmt: skip
    assert torch.equal(loaded.tensors()["weight"], layer.weight)
    parts = loaded.child("parts")
    assert parts is not None
    linear, named = parts.child("0"), parts.child("1")
    assert linear is not None
    assert named is not None
    assert torch.equal(linear.tensors()["bias"], layer.parts[0].bias)
    assert named.child("a") is not None
    assert named.child("b") is None
    assert not hasattr(builtins, "module_src_was_executed")


@pytest.mark.parametrize(
    ("hostile", "name"),
    [
        (Call(os.system, "touch mark"), "(posix|nt).system"),
        (Call(eval, "open('mark', 'w')"), "builtins.eval"),
        (Call(exec, "open('mark', 'w')"), "builtins.exec"),
        (Call(getattr, {}, "keys"), "builtins.getattr"),
        (Call(open, "mark", "w"), "io.open"),
        (Call(subprocess.Popen, ["touch", "mark"]), "(subprocess|commands).Popen"),
        (Call(torch.load, "mark"), "torch.serialization.load"),
        (Call(bytearray, 2**40), "builtins.bytearray"),
        (argparse.Namespace(a=1), "argparse.Namespace"),
        (Path("mark"), "pathlib"),
        (np.random.RandomState(0), "numpy.random"),
        (torch.device("cpu"), "torch.device"),
        (Call(type, "A", (), {}), "builtins.type"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_any_other_global_is_refused_by_name_and_does_nothing(
    hostile: Any, name: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refuse(foreign.dump({"G_ema": [hostile]}, protocol), f"asks for {name}.*nothing of it was run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    ["torch.nn.modules.container.ModuleList.__init__", "torch.nn.modules.os.system", "torch.nn.modules.x.A.B"],
)
def test_names_that_only_look_like_layers_are_refused(name: str) -> None:
    module, _, attribute = name.partition(".container.") if ".container." in name else name.rpartition(".")
    module += ".container" if ".container." in name else ""
    data = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, attribute)) + b"\x93."
    refuse(data, "asks for torch.nn.modules")


def test_what_a_file_says_reaches_the_terminal_as_plain_text() -> None:
    refuse(b"\x80\x02c\x1b[31mos\nsystem\x07\n.", r"asks for \?\[31mos\.system\?, which")
    refuse(b"\x80\x02U\x03a\nb.", r"opcode SHORT_BINSTRING \(a\?b\)")


def test_a_tensorflow_network_names_the_way_out() -> None:
    refuse(b"\x80\x03cdnnlib.tflib.network\nNetwork\n.", "asks for dnnlib.tflib.network.Network.*legacy.py")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x02(S'ls'\nios\nsystem\n.", "opcode STRING"),
        (b"\x80\x02(ios\nsystem\n.", r"opcode INST \(os.system\)"),
        (b"\x80\x02\x82\x01.", "opcode EXT1"),
        (b"\x80\x02K\x01Q.", "opcode BINPERSID"),
        (b"\x80\x02Pstorage\n.", r"opcode PERSID \(storage\)"),
        (b"\x80\x02ccollections\nOrderedDict\n)}\x92.", "opcode NEWOBJ_EX"),
        (b"\x80\x05\x97.", "opcode NEXT_BUFFER"),
    ],
)
def test_opcodes_that_no_such_file_has_are_refused_by_name(data: bytes, message: str) -> None:
    refuse(data, message)


class Empty(nn.Module):
    pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Stateful({"x": 1}, np.float64, 1.0), "asks for builtins.float|asks for numpy.float64"),
        (Call(foreign._reconstruct_persistent_obj, 5), "_reconstruct_persistent_obj: a persistent object is a int"),
        (Call(foreign._reconstruct_persistent_obj, {"type": "class"}), "a persistent object that is no class"),
        (Call(foreign._reconstruct_persistent_obj), "_reconstruct_persistent_obj: "),
        (Call(torch.storage._load_from_bytes, b"abc"), "_load_from_bytes: its payload asks for BUILD"),
        (Call(torch.storage._load_from_bytes, b"\x80\x02K"), "_load_from_bytes: its payload is cut off"),
        (Call(torch.storage._load_from_bytes, 3), "_load_from_bytes: a storage without bytes"),
        (Call(torch._utils._rebuild_tensor_v2, None, 0, (), (), False, None), "a tensor without a storage"),
        (Call(torch._utils._rebuild_parameter, "x", True, None), "a parameter without numbers"),
        (Call(np.dtype, "O"), "numpy.dtype: a number type that holds no numbers"),
        (Call(set, [(1, 2)]), "a set of other things"),
    ],
)
def test_calls_with_the_wrong_arguments_are_refused_by_name(value: Any, message: str) -> None:
    refuse(foreign.dump([value], 2), message)


def rebuild(*arguments: Any) -> bytes:
    """Return the pickle of a tensor on a real storage of six numbers, with other sizes."""
    storage = Call(torch.storage._load_from_bytes, foreign.save_torch(torch.zeros(6).storage(), legacy=True))
    return foreign.dump(Call(torch._utils._rebuild_tensor_v2, storage, *arguments, False, None))


@pytest.mark.filterwarnings("ignore:TypedStorage")
@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (7,), (1,)),
        (1, (6,), (1,)),
        (0, (2, 3), (4, 1)),
        (0, (10**6, 10**6), (0, 0)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (True,), (1,)),
        (0, (1,) * 6, (1,) * 6),
    ],
)
def test_a_tensor_never_reaches_beyond_its_storage_or_multiplies_it(offset: int, size: Any, stride: Any) -> None:
    assert load_pickle(rebuild(2, (2, 2), (2, 1)), "net.pkl").shape == (2, 2)
    refuse(rebuild(offset, size, stride), "_rebuild_tensor_v2: a tensor of")


@pytest.mark.parametrize(
    ("hostile", "name"),
    [(Call(os.system, "true"), "(posix|nt).system"), (Call(eval, "1"), "eval"), (Call(bytearray, 2**40), "bytearray")],
)
def test_a_storage_that_asks_for_more_is_refused_by_name(hostile: Any, name: str) -> None:
    payload = foreign.save_torch(hostile, legacy=True)
    refuse(
        foreign.dump(Call(torch.storage._load_from_bytes, payload)), f"_load_from_bytes: its payload asks for .*{name}"
    )


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_a_storage_that_claims_more_numbers_than_it_has_is_refused() -> None:
    honest = foreign.save_torch(torch.zeros(5).storage(), legacy=True)
    lie = honest.replace(b"K\x05Nt", b"J" + struct.pack("<i", 2**31 - 1) + b"Nt")
    assert lie != honest
    refuse(foreign.dump(Call(torch.storage._load_from_bytes, lie)), "claims more numbers than it has bytes")


def test_a_file_cut_anywhere_is_refused() -> None:
    data = foreign.dump(foreign.snapshot(foreign.FullyConnectedLayer(3, 2)))
    for end in [*range(0, len(data), len(data) // 40), len(data) - 1]:
        refuse(data[:end], "is cut off or no pickle|is no network that this reads")


@pytest.mark.parametrize("data", [b"", b"\x80\x04", b"hello", b".", b"(.", b"\x80\x02}a.", b"\x80\x02h\x07.", b"NN."])
def test_what_is_no_pickle_is_refused(data: bytes) -> None:
    refuse(data, "is cut off or no pickle")


def test_depth_and_memo_cost_no_more_than_the_file() -> None:
    deep = load_pickle(b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b".", "net.pkl")
    assert len(deep) == 1
    assert load_pickle(b"\x80\x02K\x01r\xff\xff\xff\xff.", "net.pkl") == 1  # a slot at 2**32 allocates nothing
    nested_key = b"\x80\x02}" + b")" + b"\x85" * 50_000 + b"K\x01s."
    refuse(nested_key, "a tuple as a key")
    refuse(b"\x80\x04]\x8e" + struct.pack("<Q", 2**60) + b"x.", "is cut off")


def test_tampering_with_our_own_functions_is_refused() -> None:
    target = b"\x80\x02cnumpy\ndtype\n"
    refuse(target + b"N}X\x04\x00\x00\x00callNs\x86b.", "a state for numpy.dtype")
    refuse(b"\x80\x02cnumpy\nndarray\n)R.", "a call of numpy.ndarray")
    refuse(b"\x80\x02cnumpy\ndtype\n)\x81.", "an instance of numpy.dtype")
    refuse(b"\x80\x02K\x01)R.", "a call of a int")


def test_python_itself_reads_the_same_values() -> None:
    """The interpreter is held against Python's on a pickle that needs no name at all."""
    value = {"a": [1, (2, 3.5)], "b": {"c": None, "d": b"x", "e": {"f", "g"}}}
    for protocol in PROTOCOLS:
        data = pickle.dumps(value, protocol=protocol)
        assert load_pickle(data, "net.pkl") == pickle.loads(data)
