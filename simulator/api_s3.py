"""Reading objects by signed URL, with the answers of B2's S3-compatible API."""

from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from simulator import reading
from simulator.objects import Objects
from simulator.signing import Signer

CODES = {
    400: "InvalidArgument",
    403: "AccessDenied",
    404: "NoSuchKey",
    416: "InvalidRange",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
}


def error(status: int, message: str = "", code: str = "") -> Response:
    """Create an error answer in S3's form."""
    code = code or CODES.get(status, "Unknown")
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Response(body, status, content_type="application/xml")


class S3Api:
    """GET of ``/bucket/{bucket}/{key}``."""

    def __init__(self, objects: Objects, signer: Signer) -> None:
        self._objects = objects
        self._signer = signer

    def read(self, request: Request) -> Response:
        """Answer a request. Everything except a GET with a valid signature is refused."""
        response = self._read(request)
        if request.method == "HEAD":
            response.set_data(b"")
        return response

    def _read(self, request: Request) -> Response:
        if "Authorization" in request.headers:
            return error(400, "Only one auth mechanism allowed")
        refused = self._signer.refuse(request.method, request.path, request.args.to_dict())
        if refused:
            code, message = refused
            return error(403, message, code)
        _, _, bucket_name, key = request.path.split("/", 3)
        bucket = self._objects.bucket(bucket_name)
        if bucket is None:
            return error(404, "The specified bucket does not exist.", "NoSuchBucket")
        version = self._objects.current(bucket, key, hashed=False)
        path = self._objects.path(bucket, key)
        if version is None or path is None:
            return error(404, "The specified key does not exist.")
        response = reading.content(request, path, version.size)
        if response is None:
            response = error(416, "The requested range is not satisfiable")
            response.headers["Content-Range"] = f"bytes */{version.size}"
            return response
        response.headers["ETag"] = f'"{version.created:x}-{version.size:x}"'
        return response
