"""Write CHANGELOG.md as a page of the documentation."""

import re
from pathlib import Path

UNDERLINES = {"#": "=", "##": "-", "###": "~"}
LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)]+)\)")


def write_changelog(source: Path, path: Path) -> None:
    """Write the page, unless it stands there already word for word."""
    text = restructured(source.read_text(encoding="utf-8"))
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def restructured(markdown: str) -> str:
    """Return it as reStructuredText: headings and links; `code` and lists are alike."""
    lines = []
    for line in LINK.sub(r"`\1 <\2>`__", markdown).splitlines():
        marks, _, title = line.partition(" ")
        if marks in UNDERLINES:
            lines += [title, UNDERLINES[marks] * len(title)]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
