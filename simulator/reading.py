"""Answer GET with the content of an object, or with the part that Range names."""

from collections.abc import Iterator
from pathlib import Path

from werkzeug.http import parse_range_header
from werkzeug.wrappers import Request, Response

BLOCK = 1 << 14
"""In bytes, read at a time. Small, so that little is sent to a client that stops reading."""

TYPE = "application/octet-stream"


def content(request: Request, path: Path, size: int) -> Response | None:
    """Return the answer with an object's content; None if the range contains no byte of it.

    A Range that is malformed or names several ranges is ignored, as RFC 9110 allows.
    """
    start, end, status = 0, size, 200
    wanted = parse_range_header(request.headers.get("Range"))
    if wanted and wanted.units == "bytes" and len(wanted.ranges) == 1:
        within = wanted.range_for_length(size)
        if within is None:
            return None
        (start, end), status = within, 206
    response = Response(_blocks(path, start, end - start), status, content_type=TYPE)
    response.headers["Accept-Ranges"] = "bytes"
    response.content_length = end - start
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return response


def _blocks(path: Path, start: int, length: int) -> Iterator[bytes]:
    """Yield the content, reading it only as it is sent."""
    with path.open("rb") as file:
        file.seek(start)
        while length > 0 and (block := file.read(min(length, BLOCK))):
            length -= len(block)
            yield block
