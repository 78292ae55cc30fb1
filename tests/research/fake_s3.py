"""A store that speaks as much of S3 as reading needs, on loopback, in this process."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCESS_KEY, SECRET_KEY = "AKIAFORTESTSONLY0000", "nobody/may+ever=read;this"
LISTING = """<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Name>{bucket}</Name><Prefix>{prefix}</Prefix><KeyCount>{n}</KeyCount><MaxKeys>1000</MaxKeys>
<IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"""
CONTENT = """<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>"0"</ETag>
<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"""


class FakeS3:
    """objects : "BUCKET/KEY" -> bytes;  gets : how often content was asked for"""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.gets = 0
        self.is_open = True  # False: every request is refused
        self.port = 0

    def uri(self, name: str) -> str:
        """Return the URI of an object, access keys in it."""
        keys = f"{ACCESS_KEY}:{SECRET_KEY.replace('/', '%2F').replace('+', '%2B')}"
        query = f"scheme=http&endpoint_override=127.0.0.1:{self.port}&region=us-east-1"
        return f"s3://{keys}@{name}?{query}"


def handler_of(store: FakeS3) -> type[BaseHTTPRequestHandler]:
    """Return the request handler of a store."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def answer(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            known = {"Content-Length": str(len(body)), "Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}
            for name, value in (known | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            if not store.is_open:
                self.answer(403)
                return
            found = store.objects.get(self.path.partition("?")[0].strip("/"))
            if found is None:
                self.answer(404)
                return
            self.answer(200, headers={"Content-Length": str(len(found)), "ETag": f'"{hash(found)}"'})

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            name = path.strip("/")
            if not store.is_open:
                self.answer(403)
            elif "list-type=2" in query:
                prefix = re.search(r"(?:^|&)prefix=([^&]*)", query)
                self.list(name, prefix.group(1).replace("%2F", "/") if prefix else "")
            elif (found := store.objects.get(name)) is None:
                self.answer(404)
            else:
                store.gets += 1
                begin, end = 0, len(found)
                if wanted := re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
                    begin, end = int(wanted.group(1)), int(wanted.group(2)) + 1
                span = f"bytes {begin}-{min(end, len(found)) - 1}/{len(found)}"
                self.answer(206 if wanted else 200, found[begin:end], {"Content-Range": span})

        def list(self, bucket: str, prefix: str) -> None:
            found = {
                name.removeprefix(bucket + "/"): data
                for name, data in store.objects.items()
                if name.startswith(f"{bucket}/{prefix}")
            }
            contents = "".join(
                CONTENT.format(key=key, modified="2026-10-21T07:28:00.000Z", size=len(data))
                for key, data in found.items()
            )
            text = LISTING.format(bucket=bucket, prefix=prefix, n=len(found), contents=contents)
            self.answer(200, text.encode(), {"Content-Type": "application/xml"})

    return Handler


@contextmanager
def fake_s3() -> Iterator[FakeS3]:
    """Run a store while inside."""
    store = FakeS3()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(store))
    store.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
