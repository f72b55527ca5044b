"""Show text with ids to people: by word, with the id where the pointer rests. Pure: no I/O."""

import re

from markupsafe import Markup, escape

from iconik_http.records import UUID

# An id, and the word before it, which says what it identifies.
NAMED_ID = re.compile(rf"(?:(?P<word>\w+) )?(?P<id>{UUID.pattern})", re.IGNORECASE)
ABBREVIATION = Markup('<abbr title="{}">{}</abbr>')


def without_ids(text: str) -> Markup:
    """Return a text as HTML that shows no id: 'collection 7e0c…' becomes 'collection'."""
    shown, place = Markup(), 0
    for found in NAMED_ID.finditer(text):
        shown += escape(text[place : found.start()])
        shown += ABBREVIATION.format(found["id"], found["word"] or "id")
        place = found.end()
    return shown + escape(text[place:])
