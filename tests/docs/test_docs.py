"""The pages of docs/ say what the product does: their generated parts are current, and nothing is left out."""

from __future__ import annotations

import getpass
import re
from pathlib import Path

import pytest
from lxml import etree

from asperacentral import config
from asperacentral.central.errors import JobFormatInvalid, JobSubmissionError
from asperacentral.central.launch import refuse_unsupported
from asperacentral.central.order_reader import read_order
from tests.docs import generate
from tests.docs.generate import DOCS, HERE, MISSING, ROOT, operations, pages, refreshed
from tests.soap.contract import assert_valid

PAGES = [page.name for page in pages()]
EXAMPLES = sorted(path.name.removesuffix(".request.xml") for path in HERE.glob("*.request.xml"))
SERVICES = {
    "jobnet.md": "Job.wsdl",
    "iscptransfer.md": "IScpTransfer.wsdl",
    "faspsession-200601.md": "FASPSession.wsdl",
    "faspsession-200911.md": "FASPSession200911.wsdl",
}


def text(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def order_rows() -> dict[str, list[str]]:
    """The table of elements in orders.md: by path, its type, default and consequence."""
    table = text("orders.md").partition("<!-- order -->")[2].partition("<!-- end -->")[0]
    rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): row[1:] for row in rows}


@pytest.mark.parametrize("name", PAGES)
def test_the_generated_parts_of_a_page_are_what_the_product_says_now(name: str) -> None:
    assert refreshed(text(name)) == text(name), "run: python -m tests.docs.refresh"


@pytest.mark.parametrize("name", PAGES)
def test_every_row_of_a_page_is_described(name: str) -> None:
    assert MISSING not in text(name)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text(name)):
        file, _, anchor = target.partition("#")
        path = (DOCS / file).resolve() if file else DOCS / name
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, target


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_index_lists_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", text("README.md")))
    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} <= linked


@pytest.mark.parametrize(("page", "wsdl"), SERVICES.items())
def test_every_operation_has_its_section_with_an_exchange(page: str, wsdl: str) -> None:
    sections = re.split(r"^### ", text(page), flags=re.MULTILINE)[1:]
    shown = {section.split("\n", 1)[0].split(" ", 1)[0]: section for section in sections}
    for operation in operations(wsdl):
        section = shown[operation.name]
        name = operation.request.partition(":")[2]
        assert re.search(rf"<ns\d+:{name}\b|<{name}\b|:{name}\b", section), f"{operation.name} has no request"
        assert "Answer (HTTP" in section, f"{operation.name} has no answer"
        for fault, _ in operation.faults:
            assert fault in section, f"{operation.name} does not tell of {fault}"


def test_a_page_shows_only_exchanges_that_were_recorded() -> None:
    recorded = {path.name.split(".")[0] for where in generate.GOLDEN for path in where.glob("*.request.xml")}
    for page in pages():
        assert set(re.findall(r"<!-- golden (\S+)", page.read_text("utf-8"))) <= recorded


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_recorded_request_gets_the_recorded_answer(name: str) -> None:
    head = (HERE / f"{name}.request.http").read_text("ascii")
    status, message = generate.answer(head, (HERE / f"{name}.request.xml").read_bytes())
    expected = (HERE / f"{name}.response.xml").read_text("utf-8")
    assert etree.canonicalize(message.decode()) == etree.canonicalize(expected)
    assert f"{status}\n" == (HERE / f"{name}.response.http").read_text("ascii")
    assert_valid(message)


PUSH = (
    "<Order><Operation>Push</Operation><RemoteLocation><System><Address>host.example</Address></System>"
    "<Files><Path>/in</Path></Files></RemoteLocation><LocalLocation><Files><Path>/out/a</Path></Files>"
    "</LocalLocation>{}</Order>"
)
ASKING = {
    "FileParameters/Protection": "Encrypt",
    "FileParameters/SymbolicLinks": "Copy",
    "FileParameters/FileChecksum": "sha1",
    "FileParameters/ManifestPolicy": "Text",
    "FileParameters/ExcludeOlderThan": "-3600",
    "RemoteLocation/Proxy/Url": "dnat://proxy.example",
    "RateParameters/Priority": "1",
    "RateParameters/TargetRateAsPercent": "No",
    "Program": "ascp4",
    "LocalLocation/System/UserName": getpass.getuser(),
}
"""Values that ask for something, where `Yes`, `1` or a text would not."""
OF_WORDS = frozenset({"None", "none", "Always", "Fixed", "Password", "Any"})
"""First words of elements that take one word of several; the second asks for something."""


def order_with(path: str, value: str) -> str:
    opening = "".join(f"<{name}>" for name in path.split("/"))
    closing = "".join(f"</{name}>" for name in reversed(path.split("/")))
    return PUSH.format(f"{opening}{value}{closing}")


def asked(path: str) -> str:
    kind = ROWS[path][0]
    return ASKING.get(path) or ("Yes" if kind == "Yes or No" else "1" if kind.startswith("whole") else "/x")


ROWS = order_rows()
REQUIRED = [path for path, (_, default, *_) in ROWS.items() if default == "required"]
REFUSED = [path for path, (_, _, consequence, _) in ROWS.items() if consequence == "refused"]
TAKEN = [path for path in ROWS if path not in REQUIRED and path not in REFUSED]


@pytest.mark.parametrize("path", REFUSED)
def test_an_order_with_a_refused_element_is_refused(path: str) -> None:
    order = read_order(order_with(path, asked(path))).order
    with pytest.raises(JobSubmissionError, match=f"{path.rpartition('/')[0]}.*not supported"):
        refuse_unsupported(order)


@pytest.mark.parametrize("path", TAKEN)
def test_an_order_with_any_other_element_is_taken(path: str) -> None:
    kind, *_ = ROWS[path]
    words = kind.split(", ")
    value = words[1] if path not in ASKING and len(words) > 1 and words[0] in OF_WORDS else asked(path)
    order = order_with(path, value)
    if path.endswith("/Protection"):
        order = order.replace("</Protection>", "</Protection><Passphrase>word</Passphrase>")
    refuse_unsupported(read_order(order).order)


@pytest.mark.parametrize("path", REQUIRED)
def test_an_order_without_a_required_element_is_refused(path: str) -> None:
    content = {
        "Operation": "Push",
        "Address": "host.example",
        "Path": "/in" if "Remote" in path else "/out/a",
    }
    name = path.rpartition("/")[2]
    with pytest.raises(JobFormatInvalid, match="is missing"):
        read_order(PUSH.format("").replace(f"<{name}>{content[name]}</{name}>", ""))


def test_the_order_shown_is_read_whole_and_carried_out_whole() -> None:
    shown = re.search(r"```xml\n(<Order>.*?)```", text("orders.md"), re.DOTALL)
    assert shown
    read = read_order(shown[1])
    refuse_unsupported(read.order)
    assert read.skipped == ()


def test_the_configuration_for_a_second_daemon_keeps_to_its_own_prefix_and_port(tmp_path: Path) -> None:
    shown = re.search(r"<CONF.*?</CONF>", text("migrating.md"), re.DOTALL)
    assert shown
    file = tmp_path / "central/etc/aspera.conf"
    file.parent.mkdir(parents=True)
    file.write_text(shown[0], "utf-8")
    settings = config.load(file, {})
    assert (settings.port, settings.warnings) == (40002, ())
    for path in (settings.store_path, settings.management_port_file, settings.pid_file):
        assert path.is_relative_to(tmp_path / "central/var")


def test_the_readme_leads_to_the_docs() -> None:
    assert "(docs/README.md)" in Path(ROOT / "README.md").read_text("utf-8")
