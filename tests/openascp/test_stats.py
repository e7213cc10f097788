"""The counters of a session: what they say is what was moved, whatever happens in whichever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.plan import PlannedFile
from asperacentral.openascp.stats import Counters

STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "move", "finish", "fail", "skip"]), st.integers(0, 5)), max_size=40
)


@given(STEPS)
def test_bytes_in_files_are_those_of_whole_ones_and_of_what_is_under_way(
    steps: list[tuple[str, int]],
) -> None:
    counters = Counters("11111111-2222-4333-8444-555555555555")
    files = [PlannedFile(b"s", b"t", 1000, index, 0) for index in range(6)]
    here: dict[int, int] = {}
    whole = moved = 0
    for step, index in steps:
        file = files[index]
        if step == "start" and index not in here:
            counters.started(file, 1000, kept=index)
            here[index] = index
        elif step == "move" and index in here:
            counters.moved(file, 7, here[index] + 7)
            here[index] += 7
            moved += 7
        elif step == "finish" and index in here:
            counters.finished(file)
            del here[index]
            whole += 1000
        elif step == "fail":
            counters.fail(file)
            here.pop(index, None)
        elif step == "skip" and index not in here:
            counters.skip(file, 1000)
        progress = counters.progress(1)
        assert progress.file_bytes == whole + sum(here.values())
        assert progress.transfer_bytes == moved
    assert len(counters.under_way()) == len(here)
