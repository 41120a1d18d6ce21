"""The store in an S3 bucket, or in whatever speaks its protocol at AWS_ENDPOINT_URL.

`put_new` is a conditional write (If-None-Match: *). Each call marks its object with a token of its own, so
that a request which succeeded, lost its answer and was sent again is told apart from another writer's object.
"""

import base64
import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from manifests.store import ObjectNotFound, StoreError, check_name

_PART_BYTES = 64 << 20  # S3 takes 5 MiB to 5 GiB a part and 10,000 parts
_BUFFER_BYTES = 1 << 20
_CONFLICTS = 5
_TOKEN = "corpusmill-writer"
_MISSING = ("404", "NoSuchKey", "NotFound", "NoSuchBucket")
_TAKEN = ("412", "PreconditionFailed")
_BUSY = ("409", "ConditionalRequestConflict", "OperationAborted")


class S3Store:
    """Objects `prefix/name` of a bucket; credentials, region and endpoint come from boto3's own sources."""

    def __init__(self, bucket: str, prefix: str = "", part_bytes: int = _PART_BYTES) -> None:
        if not bucket:
            raise StoreError("s3://: a store needs a bucket, s3://bucket/prefix")
        if prefix:
            check_name(prefix)
        self.bucket, self.prefix, self.part_bytes = bucket, prefix, part_bytes

    def __reduce__(self) -> tuple[Any, ...]:
        return (S3Store, (self.bucket, self.prefix, self.part_bytes))  # a client can't be pickled

    @cached_property
    def client(self) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise StoreError(f"{self.uri}: needs boto3; install corpusmill[s3]") from error
        own_endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=10,
            read_timeout=60,
            s3={"addressing_style": "path"} if own_endpoint else None,
        )
        return boto3.session.Session().client("s3", config=config)

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def _at(self, name: str) -> dict[str, str]:
        check_name(name)
        return {"Bucket": self.bucket, "Key": f"{self.prefix}/{name}" if self.prefix else name}

    def _head(self, name: str) -> dict[str, Any] | None:
        try:
            with _named("look up", f"{self.uri}/{name}"):
                found: dict[str, Any] = self.client.head_object(**self._at(name))
                return found
        except ObjectNotFound:
            return None

    def size(self, name: str) -> int | None:
        head = self._head(name)
        return None if head is None else int(head["ContentLength"])

    def generation(self, name: str) -> str:
        head = self._head(name)
        if head is None:
            raise ObjectNotFound(f"{self.uri}/{name}: no such object")
        return str(head["ETag"]).strip('"')

    def read(self, name: str) -> bytes:
        with _named("read", f"{self.uri}/{name}"):
            body: bytes = self.client.get_object(**self._at(name))["Body"].read()
            return body

    def read_range(self, name: str, start: int, length: int, etag: str | None = None) -> bytes:
        """Read as the protocol says; with `etag`, only while the object is still that one."""
        if length <= 0:
            return b""
        same = {"IfMatch": etag} if etag else {}
        try:
            with _named("read", f"{self.uri}/{name}"):
                asked = f"bytes={start}-{start + length - 1}"
                body: bytes = self.client.get_object(**self._at(name), Range=asked, **same)["Body"].read()
                return body
        except _PastTheEnd:
            return b""

    def open(self, name: str) -> BinaryIO:
        head = self._head(name)
        if head is None:
            raise ObjectNotFound(f"{self.uri}/{name}: no such object")
        raw = _RangeReader(self, name, int(head["ContentLength"]), head["ETag"])
        return io.BufferedReader(raw, _BUFFER_BYTES)

    def put_new(self, name: str, data: bytes | Path) -> bool:
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        if size > self.part_bytes:
            created = self._put_parts(name, data, size)
        else:
            created = self._put_whole(name, data if isinstance(data, bytes) else data.read_bytes())
        if isinstance(data, Path):
            data.unlink(missing_ok=True)
        return created

    def _put_whole(self, name: str, body: bytes) -> bool:
        token = secrets.token_hex(12)
        request = {
            **self._at(name),
            "Body": body,
            "Metadata": {_TOKEN: token},
            "ChecksumSHA256": _sha256(body),
        }
        return self._create(name, token, lambda: self.client.put_object(**request, IfNoneMatch="*"))

    def _put_parts(self, name: str, data: bytes | Path, size: int) -> bool:
        if self.size(name) is not None:
            return False
        at, token = self._at(name), secrets.token_hex(12)
        with _named("create", f"{self.uri}/{name}"):
            start = self.client.create_multipart_upload(**at, Metadata={_TOKEN: token}, ChecksumAlgorithm="SHA256")
        upload = {**at, "UploadId": start["UploadId"]}
        try:
            parts = list(self._upload(upload, data, size))
            whole = {**upload, "MultipartUpload": {"Parts": parts}, "IfNoneMatch": "*"}
            created = self._create(name, token, lambda: self.client.complete_multipart_upload(**whole))
        except BaseException:
            self._abort(upload)
            raise
        if not created:
            self._abort(upload)
        return created

    def _upload(self, upload: dict[str, Any], data: bytes | Path, size: int) -> Iterator[dict[str, Any]]:
        with io.BytesIO(data) if isinstance(data, bytes) else data.open("rb") as source:
            for number in range(1, -(-size // self.part_bytes) + 1):
                body = source.read(self.part_bytes)
                digest = _sha256(body)
                with _named("upload", f"s3://{self.bucket}/{upload['Key']}"):
                    part = self.client.upload_part(**upload, PartNumber=number, Body=body, ChecksumSHA256=digest)
                yield {"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": digest}

    def _abort(self, upload: dict[str, Any]) -> None:
        """Give the parts back; what cannot be given back now is left to `sweep`."""
        try:
            with _named("abort", f"s3://{self.bucket}/{upload['Key']}"):
                self.client.abort_multipart_upload(**upload)
        except StoreError:
            return

    def _create(self, name: str, token: str, request: Any) -> bool:
        """Send a conditional write; a name that is taken is ours if it bears our token."""
        for _ in range(_CONFLICTS):
            try:
                with _named("create", f"{self.uri}/{name}"):
                    request()
                return True
            except _Taken:
                head = self._head(name)
                if head is not None:
                    return bool(head.get("Metadata", {}).get(_TOKEN) == token)
            except _Busy:
                if self.size(name) is not None:
                    continue  # another writer has ended; ask again and be told so
        raise StoreError(f"cannot create {self.uri}/{name}: {_CONFLICTS} conflicts with other writers in a row")

    def delete(self, name: str) -> None:
        with _named("delete", f"{self.uri}/{name}"):
            self.client.delete_object(**self._at(name))

    def list(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        root = f"{self.prefix}/" if self.prefix else ""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=root + prefix)
        with _named("list", f"{self.uri}/{prefix}"):
            for page in pages:
                for found in page.get("Contents", ()):
                    if not found["Key"].endswith("/"):  # a console's idea of an empty folder
                        yield found["Key"].removeprefix(root), int(found["Size"])

    def sweep(self, older_than_s: float = 86_400.0) -> int:
        swept, old = 0, datetime.now(UTC) - timedelta(seconds=older_than_s)
        root = f"{self.prefix}/" if self.prefix else ""
        with _named("sweep", self.uri):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=root)
            for upload in [found for page in pages for found in page.get("Uploads", ())]:
                if upload["Initiated"] < old:
                    self._abort({"Bucket": self.bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]})
                    swept += 1
        return swept


class _Taken(StoreError):
    pass


class _Busy(StoreError):
    pass


class _PastTheEnd(StoreError):
    pass


_KINDS = {
    **dict.fromkeys(_MISSING, ObjectNotFound),
    **dict.fromkeys(_TAKEN, _Taken),
    **dict.fromkeys(_BUSY, _Busy),
    **dict.fromkeys(("416", "InvalidRange"), _PastTheEnd),
}


@contextmanager
def _named(action: str, where: str) -> Iterator[None]:
    """Turn the client's errors, which it raises after its own retries, into StoreError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise _KINDS.get(code, StoreError)(f"cannot {action} {where}: {error}") from error
    except BotoCoreError as error:
        raise StoreError(f"cannot {action} {where}: {error}") from error


class _RangeReader(io.RawIOBase):
    """Random access to one version of an object by range requests."""

    def __init__(self, store: S3Store, name: str, size: int, etag: str) -> None:
        self.store, self.object, self.bytes, self.etag, self.position = store, name, size, etag, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.bytes}[whence]
        self.position = max(0, start + offset)
        return self.position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self.bytes - self.position)
        if wanted <= 0:
            return 0
        body = self.store.read_range(self.object, self.position, wanted, self.etag)
        if len(body) != wanted:
            raise StoreError(f"cannot read {self.store.uri}/{self.object}: {len(body)} of {wanted} bytes came")
        buffer[:wanted] = body
        self.position += wanted
        return wanted


def _sha256(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()
