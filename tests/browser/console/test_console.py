"""The console in a real browser, before a real daemon: what people see, and what their clicks do."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.commands.client import CentralClient
from asperacentral.commands.local import LocalDaemon, LocalNode
from tests.browser.chromium import Page
from tests.browser.console.past import (
    LOOKER,
    PASSWORD,
    USER,
    console_daemon,
    past_file,
    past_session,
    remember,
)
from tests.central.world import order as waiting_order
from tests.e2e.site import FarSide, order

MANY = 10_000

PAIRS = (
    ("--text", "--card"),
    ("--soft", "--card"),
    ("--accent", "--card"),
    ("--bad", "--card"),
    ("--good", "--card"),
    ("--warn", "--card"),
    ("--on-accent", "--accent"),
    ("--text", "--chosen"),
    ("--soft", "--shade"),
    ("--soft", "--ground"),
)
"""Colours of text and of what is below it."""


def enter(page: Page, daemon: LocalDaemon, user: str = USER) -> None:
    page.open(f"{daemon.url}/console/")
    page.find("#user").send_keys(user)
    page.find("#password").send_keys(PASSWORD)
    page.button("Log in").click()
    page.find("#list")


def rows(page: Page) -> list[str]:
    """The text of each row that is in the document."""
    found: list[str] = page.script(
        "return [...document.querySelectorAll('#table .row')].filter(r => !r.hidden).map(r => r.innerText)"
    )
    return found


def listed(page: Page) -> int:
    """How many sessions the list says it has."""
    digits = page.text("#list-count").replace(",", "").rstrip(" …")
    return int(digits) if digits.isdigit() else 0


def scroll(page: Page, part: float) -> None:
    """To this part of the list, 0 to 1."""
    page.script(
        "const w = document.querySelector('#table .window'); w.scrollTop = w.scrollHeight * arguments[0]",
        part,
    )


def cell(page: Page, name: str) -> str:
    """A fact of the detail."""
    found: str = page.script(
        "return [...document.querySelectorAll('#detail dt')].find(t => t.textContent === arguments[0])"
        "?.nextElementSibling.textContent ?? ''",
        name,
    )
    return found


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDaemon]:
    """A daemon with a past and nothing under way."""
    folder = tmp_path_factory.mktemp("quiet")
    daemon = console_daemon(folder)
    sessions = [past_session(number) for number in range(1, MANY)]
    evil = past_session(
        0,
        cookie="<img src=x onerror=\"document.title='owned'\">",
        source_path="</script><script>document.title='owned'</script>",
        status="error",
        error_code=13,
        error_description="<b onmouseover=\"document.title='owned'\">ssh</b>",
    )
    names = (
        "<svg onload=\"document.title='owned'\">.bin",
        "javascript:document.title='owned'",
        "line\nbreak & \"quotes\" 'and' <more>",
        "ünï-日本語-\u202egnp.exe",
    )
    files = [past_file(evil, at, name) for at, name in enumerate(names, 1)]
    files.append(
        past_file(evil, 9, "gone.bin", status="error", error_code=4, error_description="no such file")
    )
    remember(folder, [evil, *sessions], files)
    daemon.start_daemon()
    yield daemon
    daemon.end()


@pytest.fixture
def media() -> Iterator[Path]:
    """A folder for files to be sent, with a name that pictures may show."""
    with tempfile.TemporaryDirectory(prefix="media-") as folder:
        yield Path(folder)


@pytest.fixture
def moving(tmp_path: Path, media: Path) -> Iterator[tuple[LocalDaemon, str, str]]:
    """A daemon with a past and one slow transfer under way: the daemon, its job and its session."""
    (tmp_path / "remote").mkdir()
    reel = media / "reel.bin"
    reel.write_bytes(bytes(60_000_000))
    daemon = console_daemon(tmp_path / "central")
    failed = {"status": "error", "error_code": 19, "error_description": "authentication failed"}
    past = [past_session(number, **(failed if number % 7 == 3 else {})) for number in range(100, 140)]
    remember(tmp_path / "central", past)
    with LocalNode(tmp_path, tmp_path / "remote", "u", "geheim") as node, daemon:
        far = FarSide("node", node.port, "u", tmp_path / "remote", "", password="geheim")
        client = CentralClient(daemon.url)
        job = client.submit(order(far, "Push", [str(reel)], "/in", cookie="reel 7", rate=4000))
        session = ""
        deadline = time.monotonic() + 60
        while not session and time.monotonic() < deadline:
            session = client.job_session(job) or ""
            time.sleep(0.05)
        yield daemon, job, session
        CentralClient(daemon.url).cancel_job(job)


def test_who_is_not_known_sees_nothing_and_who_logs_out_sees_nothing_again(
    page: Page, quiet: LocalDaemon
) -> None:
    page.open(f"{quiet.url}/console/")
    page.find("#user").send_keys(USER)
    page.find("#password").send_keys("wrong")
    page.button("Log in").click()
    page.until(lambda: page.text("#login-error") == "name or password is wrong")
    assert rows(page) == []
    page.find("#password").clear()
    page.find("#password").send_keys(PASSWORD)
    page.button("Log in").click()
    page.until(lambda: rows(page))
    page.open(f"{quiet.url}/console/")
    page.until(lambda: rows(page), "still logged in")
    page.button("Log out").click()
    page.find("#login-form")
    assert rows(page) == []
    page.open(f"{quiet.url}/console/")
    page.find("#login-form")


def test_ten_thousand_sessions_are_listed_with_few_rows_in_the_document(
    page: Page, quiet: LocalDaemon
) -> None:
    enter(page, quiet)
    page.until(lambda: listed(page) >= MANY, "all counted")
    most = page.script("return document.querySelectorAll('#table .row').length")
    assert most <= 60
    seen = set(rows(page))
    for part in (0.25, 0.5, 0.9, 1.0, 0.1):
        scroll(page, part)
        seen |= page.until(lambda known=frozenset(seen): set(rows(page)) - known, "other rows")  # type: ignore[misc]
        assert page.script("return document.querySelectorAll('#table .row').length") <= 80
    assert page.script("return document.querySelector('#table .grid').getAttribute('aria-rowcount')") == str(
        listed(page) + 1
    )
    assert page.complaints() == []


def test_names_and_cookies_are_text_whatever_is_in_them(page: Page, quiet: LocalDaemon) -> None:
    enter(page, quiet)
    page.find("#filter-session_status").send_keys("failed")
    page.button("Apply").click()
    page.until(lambda: page.text("#list-count") == "1")
    assert "<img src=x onerror=" in rows(page)[0]
    page.find("#table .row").click()
    page.until(lambda: page.text("#detail h3:last-of-type") == "Files (5)")
    shown = page.until(lambda: page.text("#detail .files"))
    assert "<svg onload=" in shown
    assert "javascript:document" in shown
    assert "日本語" in shown
    assert "Error 13, TRANSFER_TIMEOUT: the SSH connection timed out." in page.text("#detail .failure")
    assert "<b onmouseover=" in page.text("#detail .failure")
    assert (
        page.script(
            "return document.querySelectorAll('#console img, #console svg, #console script, b').length"
        )
        == 0
    )
    assert "owned" not in page.script("return document.title")
    assert page.complaints() == []


def test_the_page_lets_no_script_and_no_markup_in(page: Page, quiet: LocalDaemon) -> None:
    enter(page, quiet)
    refused = page.script(
        "const made = document.createElement('script'); try { made.text = 'document.title = 1'; return '' }"
        "catch (error) { return error.message }"
    )
    assert "TrustedScript" in refused
    assert page.script("try { document.body.innerHTML = '<b>x</b>'; return 0 } catch { return 1 }") == 1


def test_filters_are_the_reliable_querys_and_a_mistake_is_told(page: Page, quiet: LocalDaemon) -> None:
    enter(page, quiet)
    page.find("#filter-cookie_filter").send_keys("reel 77.$")
    page.button("Apply").click()
    page.until(lambda: page.text("#list-count") == "10")
    page.until(lambda: len(rows(page)) == 10 and all("reel 77" in row for row in rows(page)), "those rows")
    page.find("#filter-cookie_filter").clear()
    page.find("#filter-cookie_filter").send_keys("reel (")
    page.button("Apply").click()
    page.until(lambda: "cookie" in page.text("#filter-error").lower())
    page.button("Clear").click()
    page.until(lambda: listed(page) >= MANY)
    assert page.text("#filter-error") == ""


def test_a_session_is_seen_to_begin_move_and_answer_to_its_buttons(
    page: Page, moving: tuple[LocalDaemon, str, str]
) -> None:
    daemon, job, session = moving
    enter(page, daemon)
    page.until(lambda: any("reel 7" in row and "running" in row for row in rows(page)), "the row")
    page.find("#table .row").click()
    page.until(lambda: cell(page, "Rate").endswith("Mbps"), "a rate")
    moved = cell(page, "Moved")
    page.until(lambda: cell(page, "Moved") != moved, "bytes that grow")
    page.until(lambda: "reel.bin" in page.text("#detail .files"), "its file")
    page.until(
        lambda: "at last, at most" in (page.find("#detail canvas").get_attribute("aria-label")), "a plot"
    )
    page.button("Pause").click()
    page.until(lambda: cell(page, "Status") == "paused")
    page.until(lambda: any("paused" in row for row in rows(page)), "the row too")
    page.button("Resume").click()
    page.until(lambda: cell(page, "Status") == "running")
    page.find("#rate-target_rate").send_keys("3000")
    page.button("Set rate").click()
    page.until(lambda: cell(page, "Target rate").startswith("3.00 Mbps"))
    record = next(view for view in CentralClient(daemon.url).sessions([job]) if view.id == session)
    assert record.status == "running"
    page.button("Cancel").click()
    page.driver.switch_to.alert.accept()
    page.until(lambda: cell(page, "Status") == "cancelled")
    page.until(lambda: any("cancelled" in row for row in rows(page)))
    page.until(lambda: job not in CentralClient(daemon.url).list_jobs())
    assert page.complaints() == []


def test_jobs_that_wait_are_listed_held_and_ended(page: Page, quiet: LocalDaemon) -> None:
    client = CentralClient(quiet.url)
    job = client.submit(waiting_order(cookie="waits &lt;b&gt;", retries=5, base=60))
    enter(page, quiet)
    page.button("Jobs").click()
    page.until(lambda: any("waits <b>" in row and "retrying" in row for row in rows(page)), "the job")
    page.find("#table .row").click()
    page.button("Pause").click()
    page.until(lambda: cell(page, "State") == "retrying, held")
    page.button("Resume").click()
    page.until(lambda: page.button("Pause"))
    page.button("Cancel").click()
    page.driver.switch_to.alert.accept()
    page.until(lambda: "The job has ended." in page.text("#detail .problem"))
    page.until(lambda: rows(page) == [])
    assert job not in client.list_jobs()


def test_who_may_only_look_has_buttons_that_do_nothing(
    page: Page, moving: tuple[LocalDaemon, str, str]
) -> None:
    daemon, _, _ = moving
    enter(page, daemon, LOOKER)
    page.until(lambda: rows(page))
    page.find("#table .row").click()
    for label in ("Pause", "Cancel"):
        assert not page.button(label).is_enabled()
    assert page.text("#who") == f"{LOOKER} (may look)"


def test_the_list_comes_back_after_the_daemon_was_away(page: Page, tmp_path: Path) -> None:
    daemon = console_daemon(tmp_path)
    remember(tmp_path, [past_session(number) for number in range(3)])
    with daemon:
        port = int(daemon.url.rpartition(":")[2])
        enter(page, daemon)
        page.until(lambda: len(rows(page)) == 3)
        daemon.end()
        page.until(lambda: "The connection is lost" in page.text("#state"))
        assert len(rows(page)) == 3, "what was known stays in sight"
        remember(tmp_path, [past_session(number, change=100 + number) for number in range(3, 5)])
        conf = tmp_path / "etc/aspera.conf"
        conf.write_text(conf.read_text().replace("<port>0</port>", f"<port>{port}</port>"))
        daemon.start_daemon()
        page.find("#login-form")
        enter(page, daemon)
        page.until(lambda: len(rows(page)) == 5)


def test_all_of_it_can_be_reached_by_keyboard_and_is_named(page: Page, quiet: LocalDaemon) -> None:
    enter(page, quiet)
    page.until(lambda: listed(page) >= MANY)
    unnamed = page.script(
        "return [...document.querySelectorAll('button, input, select, canvas, [role=grid]')].filter(e => "
        "e.checkVisibility() && !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length))"
        ".map(e => e.outerHTML)"
    )
    assert unnamed == []
    window = page.find("#table .window")
    window.send_keys("\ue015\ue015\ue015")  # arrow down, three times
    chosen = page.until(lambda: page.text("#table .row[aria-selected=true]"), "a chosen row")
    window.send_keys("\ue007")  # enter
    page.until(lambda: page.text("#detail h2") and page.text("#detail h2") in chosen)
    assert page.script("return document.activeElement.tagName") == "H2", "the detail has the focus"
    page.find("#detail").send_keys("\ue00c")  # escape
    page.until(lambda: not page.script("return document.querySelector('#detail').checkVisibility()"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_in_light_and_dark(
    page: Page, quiet: LocalDaemon, scheme: str
) -> None:
    page.colours(scheme)
    enter(page, quiet)
    page.until(lambda: rows(page))
    for pair in PAIRS:
        colours = [
            page.script("return getComputedStyle(document.body).getPropertyValue(arguments[0])", name)
            for name in pair
        ]
        assert contrast(*colours) >= 4.5, (scheme, pair, colours)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2)."""

    def luminance(colour: str) -> float:
        digits = colour.strip().lstrip("#")
        digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_at_phone_width_nothing_is_cut_off(page: Page, quiet: LocalDaemon) -> None:
    page.size(360, 740)
    enter(page, quiet)
    page.until(lambda: rows(page))
    assert page.script("return document.documentElement.scrollWidth") <= 360
    page.find("#table .row").click()
    page.until(lambda: page.text("#detail h2"))
    assert page.script("return document.querySelector('#detail').getBoundingClientRect().width") <= 360
    assert page.script("return document.querySelector('#detail').scrollWidth") <= 360
    page.button("Close").click()


def test_pictures_for_the_documentation(
    page: Page, moving: tuple[LocalDaemon, str, str], tmp_path: Path
) -> None:
    """Taken only with --screenshots DIR."""
    if not page.takes_pictures:
        pytest.skip("takes pictures with --screenshots DIR")
    daemon, _, _ = moving
    for scheme in ("light", "dark"):
        page.colours(scheme)
        enter(page, daemon) if scheme == "light" else page.open(f"{daemon.url}/console/")
        page.until(lambda: any("running" in row for row in rows(page)), "a session under way")
        page.find("#table .row").click()
        page.until(lambda: cell(page, "Time left"), "a forecast")
        time.sleep(15)  # for a plot worth looking at
        page.picture(f"console-{scheme}")
    page.size(390, 844)
    page.colours("light")
    page.button("Close").click()
    page.picture("console-phone")
