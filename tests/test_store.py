"""The store: created once, whole, durable, whatever fails below it; local disk and a real S3 server alike."""

import base64
import contextlib
import errno
import hashlib
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session
from hypothesis import given
from hypothesis import strategies as st
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

from manifests.local_store import TEMPORARY_PREFIX, LocalStore, System
from manifests.s3_store import S3Store
from manifests.store import (
    ObjectNotFound,
    OneObject,
    StoreError,
    arrow_file,
    check_name,
    open_input,
    open_store,
)

BODY = bytes(range(256)) * 40


def one_at_a_time(method, lock=threading.Lock()):  # noqa: B008  (one lock for all)
    def alone(*args):
        with lock:
            return method(*args)

    return alone


@pytest.fixture(scope="module")
def s3_server():
    """Serve S3 on loopback; conditional writes one at a time, since moto asks first and writes then (S3 does not)."""
    patch = pytest.MonkeyPatch()
    patch.setattr(S3Response, "put_object", one_at_a_time(S3Response.put_object))
    before = dict(os.environ)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://{host}:{port}",
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
    )
    boto3.client("s3").create_bucket(Bucket="corpus")
    yield server
    server.stop()
    os.environ.clear()
    os.environ.update(before)
    patch.undo()


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path):
    if request.param == "local":
        return open_store(str(tmp_path / "out"))
    request.getfixturevalue("s3_server")
    return open_store(f"s3://corpus/{tmp_path.name}")


# What both stores promise.


def test_the_first_writer_of_a_name_wins_and_the_object_never_changes(store):
    assert store.put_new("text/done/a.json", BODY) is True
    assert store.put_new("text/done/a.json", b"other") is False
    assert store.read("text/done/a.json") == BODY
    assert store.size("text/done/a.json") == len(BODY)


def test_a_local_file_is_taken_over_whoever_wins(store, tmp_path):
    for body, created in ((BODY, True), (b"late", False)):
        source = tmp_path / "finished"
        source.write_bytes(body)
        assert store.put_new("shard", source) is created
        assert not source.exists()
    assert store.read("shard") == BODY


@pytest.mark.parametrize(
    ("start", "length"),
    [
        pytest.param(0, 10, id="the beginning"),
        pytest.param(250, 300, id="the middle"),
        pytest.param(len(BODY) - 5, 100, id="over the end gives what is there"),
        pytest.param(len(BODY), 1, id="past the end gives nothing"),
        pytest.param(3, 0, id="nothing asked"),
    ],
)
def test_a_range_is_what_slicing_gives(store, start, length):
    store.put_new("object", BODY)
    assert store.read_range("object", start, length) == BODY[start : start + length]


def test_an_absent_object_has_no_size_and_cannot_be_read(store):
    assert store.size("nowhere") is None
    for ask in (store.read, store.open, store.generation, lambda name: store.read_range(name, 0, 1)):
        with pytest.raises(ObjectNotFound, match="nowhere"):
            ask("nowhere")
    store.delete("nowhere")


def test_a_deleted_name_can_be_created_again_and_its_generation_differs(store):
    store.put_new("CURRENT", b"1")
    first = store.generation("CURRENT")
    store.delete("CURRENT")
    assert store.size("CURRENT") is None
    time.sleep(0.01)
    assert store.put_new("CURRENT", b"22")
    assert store.generation("CURRENT") != first


NAMES = ["a", "a-b/c", "a.b", "a/b", "a/c/d", "a0", "b/é", "b/z"]


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/c/", "b/", "none/"])
def test_a_listing_holds_the_names_with_the_prefix_in_byte_order(store, prefix):
    names = [name for name in NAMES if name != "a"]
    for name in reversed(names):
        store.put_new(name, name.encode())
    expected = sorted((name for name in names if name.startswith(prefix)), key=str.encode)
    assert list(store.list(prefix)) == [(name, len(name.encode())) for name in expected]


def test_an_empty_object_is_an_object(store):
    assert store.put_new("empty", b"")
    assert store.size("empty") == 0
    assert store.read("empty") == b""
    assert arrow_file(store, "empty").read() == b""


def test_pyarrow_reads_columns_by_random_access(store):
    table = pa.table({"id": range(50_000), "text": ["word"] * 50_000})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=1000)
    store.put_new("t.parquet", sink.getvalue().to_pybytes())
    with store.open("t.parquet") as file:
        assert pq.ParquetFile(file).read_row_group(30).equals(table.slice(30_000, 1000))
    assert pq.read_table(arrow_file(store, "t.parquet"), columns=["id"]).equals(table.select(["id"]))


def test_a_store_travels_to_workers(store):
    store.put_new("x", BODY)
    assert pickle.loads(pickle.dumps(store)).read("x") == BODY


def test_of_many_racing_writers_one_wins_and_its_bytes_stand(store):
    barrier, won = threading.Barrier(6), []

    def write(number):
        barrier.wait()
        if store.put_new("v000001.json", b"%d" % number * 5000):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("v000001.json") == b"%d" % won[0] * 5000


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/.", "a/", "nul\0"],
    ids=lambda name: f"refuses {name!r}",
)
def test_a_name_stays_below_the_root(store, name):
    for use in (store.size, store.read, store.delete, lambda name: store.put_new(name, b"")):
        with pytest.raises(StoreError):
            use(name)


@given(st.text(alphabet="ab./\0", max_size=8))
def test_a_checked_name_never_leaves_its_folder(name):
    try:
        check_name(name)
    except StoreError:
        return
    assert os.path.normpath(f"/root/{name}") == f"/root/{name}"


# Addresses.


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("pipe:cat /etc/passwd", "'pipe'"),
        ("file:///etc/passwd", "'file'"),
        ("http://host/x", "'http'"),
        ("https://host/x", "'https'"),
        ("hdfs://host/x", "'hdfs'"),
        ("PIPE:ls", "'pipe'"),
        ("gs://bucket/x", "ifGenerationMatch"),
        ("s3://", "bucket"),
        ("s3://bucket/../x", "not the name"),
        ("~/out", "not expanded"),
        ("$HOME/out", "not expanded"),
        ("s3://${BUCKET}/x", "not expanded"),
        ("out/`id`", "not expanded"),
    ],
)
def test_an_address_that_is_no_store_is_refused_by_name(uri, named):
    with pytest.raises(StoreError, match=named.replace("$", r"\$")):
        open_store(uri)


def test_a_file_as_input_is_a_store_of_that_file_alone(tmp_path):
    (tmp_path / "a.warc").write_bytes(BODY)
    (tmp_path / "a.warc.gz").write_bytes(b"")
    store = open_input(tmp_path / "a.warc")
    assert isinstance(store, OneObject)
    assert list(store.list()) == [("a.warc", len(BODY))]
    assert store.read("a.warc") == BODY
    assert arrow_file(store, "a.warc").read() == BODY
    for refused in (
        lambda: store.read("a.warc.gz"),
        lambda: store.put_new("b", b""),
        lambda: store.delete("a.warc"),
    ):
        with pytest.raises(StoreError):
            refused()


def test_an_object_as_input_is_a_store_of_that_object_alone(s3_server):
    S3Store("corpus", "inputs").put_new("a.warc", BODY)
    assert list(open_input("s3://corpus/inputs/a.warc").list()) == [("a.warc", len(BODY))]
    assert list(open_input("s3://corpus/inputs").list()) == [("a.warc", len(BODY))]


def test_links_to_files_are_inputs_and_links_to_folders_are_not_walked(tmp_path):
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "broken").symlink_to("nothing")
    os.mkfifo(tmp_path / "fifo")
    assert [name for name, _ in open_store(tmp_path).list()] == ["link", "real"]


def test_a_link_that_leads_back_to_itself_is_no_input(tmp_path):
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "page.html").write_bytes(b"x")
    assert list(open_store(tmp_path).list()) == [("page.html", 1)]


def test_an_adopted_file_gets_the_permissions_of_its_folder(tmp_path):
    (tmp_path / "out").mkdir(mode=0o750)
    source = tmp_path / "private"
    source.touch(mode=0o600)
    open_store(tmp_path / "out").put_new("shard", source)
    assert (tmp_path / "out" / "shard").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_was_removed_is_made_again(tmp_path):
    store = LocalStore(tmp_path / "out")
    store.put_new("job/a", b"1")
    shutil.rmtree(tmp_path / "out")
    assert store.put_new("job/a", b"2")
    assert store.read("job/a") == b"2"


def test_a_source_that_is_not_there_is_a_named_error(tmp_path):
    with pytest.raises(ObjectNotFound, match="ENOENT"):
        LocalStore(tmp_path / "out").put_new("a", tmp_path / "nothing")


def test_a_folder_in_the_place_of_an_object_is_a_named_error(tmp_path):
    (tmp_path / "name").mkdir()
    with pytest.raises(StoreError, match="EEXIST"):
        open_store(tmp_path).put_new("name", b"x")


def test_a_file_in_the_place_of_a_folder_is_a_named_error(tmp_path):
    (tmp_path / "text").touch()
    with pytest.raises(StoreError, match="ENOTDIR"):
        LocalStore(tmp_path).put_new("text/done", b"x")


# Faults of the operating system, one call after another.


class Faulty:
    """A System whose n-th call fails with `code`, before or after its effect, once or from then on."""

    def __init__(self, n, code, after=False, lasting=False, foreign=None):
        self.n, self.code, self.after, self.lasting, self.foreign = n, code, after, lasting, foreign
        self.calls, self.fired = 0, []

    def sleep(self, seconds):
        pass

    def now(self):
        return time.time()

    def __getattr__(self, name):
        real = getattr(System(), name)

        def call(*args, **kwargs):
            if name == "link" and self.foreign is not None and Path(args[0]) == self.foreign:
                raise OSError(errno.EXDEV, "another device")
            self.calls += 1
            fails = self.calls >= self.n if self.lasting else self.calls == self.n
            if fails:
                self.fired.append(name)
            if fails and name != "close" and not (self.after and name != "open"):
                raise OSError(self.code, os.strerror(self.code))
            result = real(*args, **kwargs)
            if fails:
                raise OSError(self.code, os.strerror(self.code))
            return result

        return call


def visible(root):
    return {name: (root / name).read_bytes() for name, _ in LocalStore(root).list()}


def put_with(system, root, data):
    """Return what put_new said: True, False or the error."""
    try:
        return LocalStore(root, system).put_new("job/done/a.json", data)
    except StoreError as error:
        assert str(root.parent.parent) in str(error)
        assert "(E" in str(error)
        return error


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EACCES], ids=errno.errorcode.get)
@pytest.mark.parametrize("data", ["bytes", "file", "file on another device"])
def test_whichever_call_fails_a_put_ends_right_or_with_a_name(tmp_path, data, code, after, lasting):
    n = 0
    while True:
        n += 1
        root, source = tmp_path / str(n) / "out", tmp_path / f"{n}.finished"
        source.write_bytes(BODY)
        system = Faulty(n, code, after, lasting, source if data == "file on another device" else None)
        said = put_with(system, root, BODY if data == "bytes" else source)
        seen = visible(root) if root.exists() else {}
        assert seen in ({}, {"job/done/a.json": BODY})  # whole or not at all
        assert said is True or isinstance(said, StoreError)
        assert said is not True or seen
        again = LocalStore(root).put_new("job/done/a.json", BODY)
        assert again is (not seen)  # and the call can be repeated
        assert visible(root) == {"job/done/a.json": BODY}
        if code == errno.EIO and not lasting and system.fired and "fsync" not in system.fired:
            assert said is True  # a passing fault is retried
        if not system.fired:
            break
    assert n > 10


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EACCES], ids=errno.errorcode.get)
@pytest.mark.parametrize("verb", ["size", "generation", "read", "range", "open", "list", "delete", "sweep"])
def test_whichever_call_fails_other_verbs_answer_right_or_with_a_name(tmp_path, verb, code):
    verbs = {
        "size": lambda store: store.size("job/a"),
        "generation": lambda store: store.generation("job/a"),
        "read": lambda store: store.read("job/a"),
        "range": lambda store: store.read_range("job/a", 5, 50),
        "open": lambda store: store.open("job/a").read(),
        "list": lambda store: list(store.list()),
        "delete": lambda store: store.delete("job/a"),
        "sweep": lambda store: store.sweep(),
    }
    n, fired = 0, True
    while fired:
        n += 1
        LocalStore(tmp_path).put_new("job/a", BODY)
        stamp = LocalStore(tmp_path).generation("job/a")
        right = {"size": len(BODY), "generation": stamp, "read": BODY, "range": BODY[5:55], "open": BODY}
        right |= {"list": [("job/a", len(BODY))], "delete": None, "sweep": 0}
        system = Faulty(n, code)
        try:
            assert verbs[verb](LocalStore(tmp_path, system)) == right[verb]
        except StoreError as error:
            assert not isinstance(error, ObjectNotFound)
        fired = system.fired
    assert n > 1


class HalfWrites(System):
    """A disk that takes half of each write."""

    def write(self, fd, data):
        return os.write(fd, data[: (len(data) + 1) // 2])


class NoWrites(System):
    """A disk that takes nothing and says nothing."""

    sleep = staticmethod(lambda seconds: None)

    def write(self, fd, data):
        return 0


def test_short_writes_are_gone_on_with(tmp_path):
    assert LocalStore(tmp_path, HalfWrites()).put_new("a", BODY)
    assert visible(tmp_path) == {"a": BODY}


def test_a_disk_that_takes_nothing_is_a_named_error(tmp_path):
    with pytest.raises(StoreError, match="EIO"):
        LocalStore(tmp_path, NoWrites()).put_new("a", BODY)
    assert visible(tmp_path) == {}


def test_no_descriptor_is_left_open_by_a_fault(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for n in range(1, 40):
        put_with(Faulty(n, errno.ENOSPC), tmp_path / str(n), BODY)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# Power loss: what was not fsynced is gone.


class PowerCut(BaseException):
    pass


class Disk(System):
    """Knows what would survive a power cut, and cuts the power at the n-th call.

    A file keeps the bytes of its last fsync; a folder keeps the names of its last fsync.
    """

    def __init__(self, cut_at=10**9):
        self.cut_at, self.calls = cut_at, 0
        self.bytes, self.names, self.paths = {}, {}, {}

    def __getattribute__(self, name):
        real = object.__getattribute__(self, name)
        if name not in (
            "open",
            "read",
            "write",
            "fsync",
            "close",
            "link",
            "unlink",
            "mkdir",
            "stat",
            "fchmod",
        ):
            return real

        def call(*args, **kwargs):
            self.calls += 1
            if self.calls == self.cut_at:
                raise PowerCut
            return real(*args, **kwargs)

        return call

    def open(self, path, flags, mode=0o777):
        fd = os.open(path, flags, mode)
        if flags & os.O_CREAT:
            self.bytes.pop(os.fstat(fd).st_ino, None)
        self.paths[fd] = Path(path)
        return fd

    def fsync(self, fd):
        inode, path = os.fstat(fd).st_ino, self.paths[fd]
        if path.is_dir():
            self.names[inode] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self.bytes[inode] = path.read_bytes()

    def survivors(self, inode, prefix=""):
        """Return {path: bytes} of what a reader finds after the cut, from the folder with that inode."""
        found = {}
        for name, child in self.names.get(inode, {}).items():
            if child in self.names or name in ("out", "job", "done"):
                found |= self.survivors(child, f"{prefix}{name}/")
            else:
                found[prefix + name] = self.bytes.get(child, b"")
        return found


@pytest.mark.parametrize("data", ["bytes", "file"])
def test_power_may_go_at_any_call_and_what_put_new_promised_is_on_disk(tmp_path, data):
    n, promised = 0, None
    while promised is None:
        n += 1
        base, source = tmp_path / str(n), tmp_path / f"{n}.finished"
        base.mkdir()
        source.write_bytes(BODY)
        disk = Disk(cut_at=n)
        with contextlib.suppress(PowerCut):
            promised = LocalStore(base / "out", disk).put_new("job/done/a", BODY if data == "bytes" else source)
        found = disk.survivors(base.stat().st_ino)
        shown = {name: body for name, body in found.items() if TEMPORARY_PREFIX not in name}
        assert shown in ({}, {"out/job/done/a": BODY})
        assert promised is None or shown
    assert n > 10


def test_a_name_that_another_writer_linked_and_did_not_sync_is_synced_before_the_answer_false(tmp_path):
    LocalStore(tmp_path / "out").put_new("job/done/a", BODY)
    disk = Disk()
    inode = (tmp_path / "out/job/done/a").stat().st_ino
    disk.bytes[inode] = BODY  # its bytes were fsynced before its name was linked
    assert LocalStore(tmp_path / "out", disk).put_new("job/done/a", b"other") is False
    assert disk.survivors(tmp_path.stat().st_ino) == {"out/job/done/a": BODY}


# Killed writers.

WRITER = """
import sys, itertools
from manifests.local_store import LocalStore
store = LocalStore(sys.argv[1])
for n in itertools.count():
    store.put_new(f"job/{n:06d}", b"%06d" % n * 20000)
"""


def test_a_killed_writer_leaves_whole_objects_and_temporaries_that_a_sweep_removes(tmp_path):
    rng, root = random.Random(7), tmp_path / "out"
    for _ in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, root], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        )
        while not root.exists() and writer.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.15))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        for name, body in visible(root).items():
            assert body == name[-6:].encode() * 20000
    assert len(visible(root)) > 1
    (root / "job" / f"{TEMPORARY_PREFIX}left").write_bytes(b"half")
    assert LocalStore(root).sweep() == 0  # too young: its writer may live
    assert LocalStore(root).sweep(older_than_s=-1) >= 1
    assert not list(root.rglob(f"{TEMPORARY_PREFIX}*"))
    assert len(visible(root)) > 1


# S3 only.


def parts_of(store):
    return store.client.list_multipart_uploads(Bucket="corpus").get("Uploads", [])


def test_a_large_object_goes_up_in_parts_under_the_same_condition(s3_server, tmp_path):
    store, body = S3Store("corpus", "parts", part_bytes=5 << 20), os.urandom(12 << 20)
    source = tmp_path / "large"
    source.write_bytes(body)
    assert store.put_new("large", source) is True
    assert store.read("large") == body
    assert store.put_new("large", body[::-1]) is False
    assert store.read("large") == body
    assert parts_of(store) == []


def late(store, operation, act):
    """Run `act` when the request of `operation` is about to leave."""
    done = []

    def before_send(request, **_):
        if not done:
            done.append(True)
            act()

    store.client.meta.events.register(f"before-send.s3.{operation}", before_send)


@pytest.mark.parametrize(
    ("operation", "size"),
    [
        pytest.param("PutObject", 10, id="one request"),
        pytest.param("CompleteMultipartUpload", 11 << 20, id="in parts"),
    ],
)
def test_a_writer_that_is_overtaken_in_its_last_request_loses(s3_server, operation, size):
    slow, fast = (S3Store("corpus", f"overtaken-{size}", part_bytes=5 << 20) for _ in range(2))
    late(slow, operation, lambda: fast.put_new("v1", b"fast"))
    assert slow.put_new("v1", b"s" * size) is False
    assert fast.read("v1") == b"fast"
    assert parts_of(slow) == []


@pytest.mark.parametrize(
    ("operation", "size"),
    [
        pytest.param("PutObject", 10, id="one request"),
        pytest.param("CompleteMultipartUpload", 11 << 20, id="in parts"),
    ],
)
def test_a_write_whose_answer_is_lost_is_known_as_our_own(s3_server, operation, size):
    store, sent = S3Store("corpus", f"lost-{size}", part_bytes=5 << 20), []

    def lose_first_answer(request, **_):
        sent.append(request.url)
        if len(sent) == 1:
            assert URLLib3Session().send(request).status_code == 200
            raise ConnectionClosedError(endpoint_url=request.url)

    store.client.meta.events.register(f"before-send.s3.{operation}", lose_first_answer)
    assert store.put_new("v1", b"x" * size) is True
    assert len(sent) == 2
    assert store.size("v1") == size


def test_an_upload_carries_the_sha256_that_the_server_is_to_check(s3_server):
    store = S3Store("corpus", "checksum")
    sent = []
    store.client.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
    store.put_new("a", BODY)
    assert base64.b64decode(sent[0]["x-amz-checksum-sha256"]) == hashlib.sha256(BODY).digest()
    assert sent[0]["If-None-Match"] in ("*", b"*")


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(s3_server):
    store = S3Store("corpus", "replaced")
    store.put_new("a", b"1" * (4 << 20))
    with store.open("a") as file:
        file.read(10)
        store.delete("a")
        store.put_new("a", b"2" * (4 << 20))
        file.seek(3 << 20)
        with pytest.raises(StoreError):
            file.read(10)


def test_parts_of_a_killed_writer_are_swept_when_they_are_old(s3_server):
    store = S3Store("corpus", "killed")
    store.client.create_multipart_upload(Bucket="corpus", Key="killed/x")
    assert store.sweep(older_than_s=100 * 365 * 86_400) == 0  # the server says that it began in 2010
    assert store.sweep() == 1
    assert parts_of(store) == []


def test_a_server_that_is_not_there_is_a_named_error(s3_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = S3Store("corpus", "gone")
    with pytest.raises(StoreError, match="cannot create s3://corpus/gone/a"):
        store.put_new("a", b"x")


def test_a_bucket_that_is_not_there_is_a_named_error(s3_server):
    with pytest.raises(StoreError, match="s3://nobucket/a"):
        S3Store("nobucket").put_new("a", b"x")
