"""Google's storage, spoken with a real server: that of gcp-storage-emulator, in this process."""

from __future__ import annotations

import io
import json
import re
import threading
from functools import partial
from http.server import HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from stored import Asked, Bucket, Server

_OBJECT = re.compile(r"/b/[^/]+/o/(.+)")


class GSServer(Server):
    """With a ``refusal``, a status and a message, that is the answer to every request."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal: tuple[int, str] | None = None
        self._server = _Listener(("127.0.0.1", 0), partial(_Handler, self, Storage(use_memory_fs=True)))
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Listener(HTTPServer):
    request_queue_size = 128  # it answers one after the other, gcsfs asks many at once

    def handle_error(self, request, client_address) -> None:
        """A client that has gone before its answer is none of the test's affair."""


class _Handler(RequestHandler):
    def __init__(self, server: GSServer, *arguments: object) -> None:
        self._gs = server
        super().__init__(*arguments)

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.rfile = io.BytesIO(body)
        if self._gs.refusal:
            return self._refuse(*self._gs.refusal)
        if self._gs.denied(self._asked(body)):
            return self._refuse(403, "Caller does not have storage.objects access")
        return True

    def _asked(self, body: bytes) -> Asked:
        url = urlsplit(self.path)
        path = unquote(url.path)
        if path.startswith("/upload/"):
            if named := parse_qs(url.query).get("name"):
                return Asked(named[0], True)
            return Asked(json.loads(re.search(rb'\{"name": .*\}', body)[0])["name"], True)  # before the content
        source, copies, target = path.partition("/rewriteTo")
        found = _OBJECT.search(target if copies else source)
        return Asked(found[1] if found else "", bool(copies))

    def _refuse(self, status: int, message: str) -> bool:
        text = json.dumps({"error": {"code": status, "message": message}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        return False


class GSBucket(Bucket):
    def __init__(self, server: GSServer, name: str) -> None:
        super().__init__(server, "gs", name)
        self._client = Client("vcut", AnonymousCredentials(), client_options={"api_endpoint": server.address})
        self._bucket = self._client.create_bucket(name)

    def put(self, key: str, path: Path) -> None:
        self._bucket.blob(key).upload_from_filename(path)

    def mark(self, folder: str) -> None:
        """Puts what Google's console keeps for a folder that was made there."""
        self._bucket.blob(f"{folder}/").upload_from_string(b"")

    def files(self, under: str) -> dict[str, bytes]:
        found = self._client.list_blobs(self.name, prefix=f"{under}/")
        return {blob.name.removeprefix(f"{under}/"): blob.download_as_bytes() for blob in found}

    def remove(self, under: str) -> None:
        for blob in self._client.list_blobs(self.name, prefix=f"{under}/"):
            blob.delete()
