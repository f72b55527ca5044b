"""Commands as the documentation has them."""

import re

from dev.harness import ROOT


def documented(start: str, page: str = "docs/deployment.md") -> str:
    """The line of a page that begins so, without the sudo."""
    (line,) = re.findall(
        rf"^ *(?:sudo )?({re.escape(start)}.*)$", (ROOT / page).read_text(), re.MULTILINE
    )
    return str(line)
