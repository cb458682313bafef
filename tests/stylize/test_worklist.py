"""How many rows make the units of a work list, as runs; reading is tested with writing (tests/pipelines)."""

from __future__ import annotations

import json

from stylize.worklist import pack, unpack


def test_runs_of_equal_units() -> None:
    assert pack([50, 50, 50, 37]) == [[50, 3], [37, 1]]
    assert pack([]) == []
    for sizes in ([], [0], [3], [3, 3, 0, 0, 2], [1, 2, 3]):
        assert unpack(json.loads(json.dumps(pack(sizes)))).tolist() == sizes
