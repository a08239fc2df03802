"""The readers on inputs that nobody would write: something to use, or an error of ours."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.agent.strange_inputs import READERS, Reader

EXAMPLES = 60


@pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.name)
def test_nothing_but_errors_of_ours_comes_out_of_a_reader(
    tmp_path: Path, kind: type[Reader]
) -> None:
    reader = kind(tmp_path)
    assert reader.try_one(reader.example())
    read: list[bool] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def tried(data: st.DataObject) -> None:
        read.append(reader.try_one(data.draw(reader.inputs())))

    tried()
    assert len(read) >= EXAMPLES
    if kind.name != "codec":  # its errors are values
        assert not all(read)
