"""spyne can be imported on every Python, in a process of its own each time, and leaves no stand-in behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_spyne_is_imported_without_warnings() -> None:
    assert (
        run("from asperacentral.soap.spyne_names import Soap11; print(Soap11.mime_type)")
        == "text/xml; charset=utf-8"
    )


def test_spyne_uses_the_real_six() -> None:
    code = (
        "from asperacentral.soap import spyne_names; import six, spyne.util.six as theirs;"
        "print(theirs.add_metaclass is six.add_metaclass, theirs.get_function_name(len))"
    )
    assert run(code) == "True len"


def test_no_false_cgi_module_is_left() -> None:
    code = (
        "import importlib.util as u, sys; had = u.find_spec('cgi') is not None\n"
        "from asperacentral.soap import spyne_names\n"
        "sys.modules.pop('cgi', None) if had else None\n"
        "print((u.find_spec('cgi') is not None) == had, 'cgi' in sys.modules)"
    )
    assert run(code) == "True False"


def test_the_stand_in_for_cgi_reads_content_types_as_the_real_one_did() -> None:
    code = (
        "from asperacentral.soap import spyne_shim; import sys; from importlib.util import find_spec\n"
        "spyne_shim.find_spec = lambda name: None\n"
        "assert spyne_shim.install(); import cgi\n"
        "print(cgi.parse_header('text/xml; charset=\"utf-8\"; a=b'), cgi.parse_header('x'))\n"
        "spyne_shim.remove(); print('cgi' in sys.modules)"
    )
    assert run(code) == "('text/xml', {'charset': 'utf-8', 'a': 'b'}) ('x', {})\nFalse"


def test_finding_a_wsdl_file_does_not_import_spyne() -> None:
    code = (
        "import sys; from asperacentral.soap.contract_files import contract_path\n"
        "print(contract_path('Job.wsdl').name, 'spyne' in sys.modules, 'twisted' in sys.modules)"
    )
    assert run(code) == "Job.wsdl False False"


def test_nothing_else_in_the_package_imports_spyne() -> None:
    allowed = {"spyne_names.py", "spyne_shim.py"}
    for path in (ROOT / "asperacentral").rglob("*.py"):
        lines = path.read_text("utf-8").splitlines()
        mine = [line for line in lines if line.lstrip().startswith(("import spyne", "from spyne"))]
        assert not mine or path.name in allowed, path
