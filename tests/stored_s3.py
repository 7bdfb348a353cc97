"""S3, spoken with a real server: moto's, in this process."""

from __future__ import annotations

import threading
from pathlib import Path

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from stored import Asked, Bucket, Server
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response


class S3Server(Server):
    def __init__(self) -> None:
        super().__init__()
        self._s3 = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.address = f"http://127.0.0.1:{self._server.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environment, start):
        request = Request(environment)
        if self.denied(Asked(request.path[1:].partition("/")[2], request.method == "PUT")):
            text = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            return Response(text, 403, content_type="application/xml")(environment, start)
        return self._s3(environment, start)

    def close(self) -> None:
        self._server.shutdown()


class S3Bucket(Bucket):
    def __init__(self, server: S3Server, name: str) -> None:
        super().__init__(server, "s3", name)
        self._client = boto3.client("s3", endpoint_url=server.address)
        self._client.create_bucket(Bucket=name)

    def put(self, key: str, path: Path) -> None:
        self._client.upload_file(str(path), self.name, key)

    def files(self, under: str) -> dict[str, bytes]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=f"{under}/")
        keys = [row["Key"] for page in pages for row in page.get("Contents", ())]
        read = self._client.get_object
        return {key.removeprefix(f"{under}/"): read(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def remove(self, under: str) -> None:
        for name in self.files(under):
            self._client.delete_object(Bucket=self.name, Key=f"{under}/{name}")
