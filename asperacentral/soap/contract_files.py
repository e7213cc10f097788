"""Where the WSDL and XSD files are: the top-level `wsdl/` of a checkout, `_data/wsdl` of an installed package.

Knows files only; what is in them is the business of those who read them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def contract_directory() -> Path:
    """The directory of the contract's files. FileNotFoundError when the installation lacks them."""
    package = Path(str(files("asperacentral")))
    for candidate in (package / "_data" / "wsdl", package.parent / "wsdl"):
        if (candidate / "Transfer201210.wsdl").is_file():
            return candidate
    raise FileNotFoundError(f"no WSDL files under {package / '_data'} or {package.parent}")


def contract_path(name: str) -> Path:
    """The path of one file of the contract, such as "Job.wsdl"."""
    return contract_directory() / name


def contract_files() -> dict[str, bytes]:
    """Every WSDL and XSD file by its name."""
    found = sorted(contract_directory().iterdir())
    return {path.name: path.read_bytes() for path in found if path.suffix in {".wsdl", ".xsd"}}
