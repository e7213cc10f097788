"""What a page may do with the local client, and what it may not: steering transfers, consent, dialogs."""

from __future__ import annotations

from pathlib import Path

from asperacentral.commands.local import LocalNode
from tests.browser.client.browser import Browser
from tests.browser.client.ways import digests, ended
from tests.client.support import LocalDesktop, content, spec, until


def test_a_transfer_is_steered_stopped_resumed_and_removed(
    browser: Browser, local: LocalDesktop, node: LocalNode, docroot: Path
) -> None:
    (docroot / "big").write_bytes(content(1_500_000))
    local.start_client()
    browser.begin()
    browser.until_statuses("INITIALIZING", "RUNNING")
    uuid = browser.ask(
        "aspera.startTransfer(given[0])", spec(node, "receive", "/big", target_rate_kbps=1500)
    )["uuid"]
    until(lambda: browser.ask("aspera.getTransfer(given[0])", uuid)["status"] == "running")
    browser.ask("aspera.modifyTransfer(given[0], {target_rate_kbps: 900})", uuid)
    browser.ask("aspera.stopTransfer(given[0])", uuid)
    assert ended(browser, uuid)["status"] == "cancelled"
    browser.ask("aspera.resumeTransfer(given[0], {target_rate_kbps: 500000})", uuid)
    until(lambda: browser.ask("aspera.getTransfer(given[0])", uuid)["status"] == "completed")
    browser.ask("aspera.removeTransfer(given[0])", uuid)
    assert browser.ask("aspera.getAllTransfers()") == []
    assert digests(local.downloads) == digests(docroot)


def test_a_page_that_is_not_allowed_moves_nothing(
    browser: Browser, local: LocalDesktop, node: LocalNode, docroot: Path
) -> None:
    local.decide(False)
    local.start_client()
    browser.begin()
    browser.until_statuses("INITIALIZING", "RUNNING")
    assert "not allowed" in browser.refused("aspera.startTransfer(given[0])", spec(node, "receive", "/x"))
    local.decide(True)
    stolen = spec(node, "send", "/etc/passwd")
    assert "not chosen" in browser.refused("aspera.startTransfer(given[0])", stolen)
    assert not any(docroot.iterdir())


def test_a_framed_or_posted_dialog_cannot_be_answered_by_the_page(
    browser: Browser, local: LocalDesktop
) -> None:
    local.start_client()
    browser.begin()
    browser.until_statuses("INITIALIZING", "RUNNING")
    browser.run(
        "window.chosen = aspera.showSelectFileDialog().then(() => 'chosen', (problem) => problem.message)"
    )
    address = local.shown()  # more than a page ever learns
    framed = (
        "new Promise((resolve) => { const frame = document.createElement('iframe'); frame.src = given[0];"
        "frame.onload = () => { try { resolve(frame.contentDocument.body.innerText) } catch { resolve('closed') } };"
        "document.body.append(frame) })"
    )
    assert browser.ask(framed, address) == "closed"
    posted = "fetch(given[0], {method: 'POST', body: 'step=&choose='}).then(() => 'read', () => 'closed')"
    assert browser.ask(posted, address) == "closed"
    assert browser.ask("Promise.race([chosen, Promise.resolve('open')])") != "chosen"
