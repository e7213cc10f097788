"""An order sent again for its job, with a real daemon and a real session under way."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from asperacentral.commands.client import Refused
from tests.e2e.site import FarSide, Site, hashes, make_tree, order, until


def again(text: str, job: str) -> str:
    return text.replace("<Order>", f'<Order xmlns:x="urn:asperacentral:Order" x:JobId="{job}">', 1)


def test_a_slow_session_becomes_fast_and_what_was_answered_survives_kill_9(
    site: Site, node: FarSide, tmp_path: Path
) -> None:
    expected = make_tree(tmp_path / "out", big=4 << 20, small=3)
    target = f"/{tmp_path.name}"

    def text(rate: int, cookie: str) -> str:
        return order(node, "Push", [str(tmp_path / "out")], target, rate=rate, cookie=cookie)

    job = site.client.submit(text(200, "slow"))
    session, _ = site.transfer_process(job)
    assert site.client.submit(again(text(300, "still slow"), job)) == job
    until(lambda: site.sessions(job)[-1].target_rate == 300)
    assert [view.id for view in site.sessions(job)] == [session]
    assert site.client.submit(again(text(900_000, "fast"), job)) == job
    until(lambda: site.sessions(job)[-1].target_rate == 900_000)
    site.daemon.end(signal.SIGKILL)
    site.restart()
    *_, last = site.finish(job)
    assert last.status == "completed"
    assert hashes(node.root / tmp_path.name / "out") == expected
    assert "another order" in site.daemon.log.read_text()
    with pytest.raises(Refused, match="has ended"):
        site.client.submit(again(text(300, "late"), job))


def test_an_order_for_a_job_goes_to_where_the_job_goes(site: Site, node: FarSide, tmp_path: Path) -> None:
    make_tree(tmp_path / "out", big=1 << 20)
    text = order(node, "Push", [str(tmp_path / "out")], "/a", rate=100)
    job = site.client.submit(text)
    with pytest.raises(Refused, match=re.escape("RemoteLocation/Files/Path")):
        site.client.submit(again(text.replace("<Path>/a</Path>", "<Path>/b</Path>"), job))
    with pytest.raises(Refused, match="no job"):
        site.client.submit(again(text, "none"))
    assert site.client.list_jobs() == [job]
    site.client.cancel_job(job)
    assert [view.status for view in site.finish(job)] == ["cancelled"]
