"""`python -m tests.docs.refresh`: make the generated parts of docs/ anew; says which pages changed."""

from __future__ import annotations

from tests.docs.generate import DOCS, pages, refreshed


def main() -> None:
    """Write the pages that differ."""
    for page in pages():
        before = page.read_text("utf-8")
        after = refreshed(before)
        if after != before:
            page.write_text(after, "utf-8")
            print(f"refreshed {page.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
