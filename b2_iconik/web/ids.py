"""Keep ids out of the text that people read: pages show them on hover only. Pure: no I/O."""

import re
from collections.abc import Iterator

from iconik_http.records import UUID

# An id, and the word before it, which says what it identifies.
NAMED_ID = re.compile(rf"(?:(?P<word>\w+) )?(?P<id>{UUID.pattern})", re.IGNORECASE)


def ids_apart(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a text, each with the id that it stands for; "" for none.

    'collection 7e0c… is empty' has the parts 'collection', with its id, and ' is empty'.
    """
    place = 0
    for found in NAMED_ID.finditer(text):
        yield text[place : found.start()], ""
        yield found["word"] or "id", found["id"]
        place = found.end()
    yield text[place:], ""
