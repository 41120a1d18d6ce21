"""`corpusmill crawl` against sites that mean harm, and users who mistype: bounded memory, files, rounds and words.

The server answers by Host and path on loopback, and ends with the test.
"""

import asyncio
import contextlib
import gzip
import json
import os
import random
import resource
import signal
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from warcio.archiveiterator import ArchiveIterator

from manifests.limits import MIB, CrawlLimits
from pipelines.crawl.answers import Reader, conditions
from pipelines.crawl.block import Crawl
from pipelines.crawl.fetched import Target
from pipelines.fetch.exchange import Exchange

CONTACT = "tests@example.org"
Answer = Callable[[str, str], bytes]  # (host, path) -> a whole response
FILES = ("/robots.txt", "/ai.txt", "/.well-known/tdmrep.json")
PAGE = b"<html><body><p>A page</p></body></html>"


def ok(body: bytes, *fields: str, status: str = "200 OK", media_type: str = "text/html") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


ABSENT = ok(b"no", status="404 Not Found")


@contextlib.contextmanager
def site(answer: Answer) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Give (port, requests so far as (host, path)) of a server that lives as long as the block."""
    loop, asked, ready = asyncio.new_event_loop(), [], threading.Event()
    ports: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(30):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    host = head.partition("\r\nHost: ")[2].partition("\r\n")[0].partition(":")[0]
                    asked.append((host, head.split()[1]))
                    writer.write(await asyncio.to_thread(answer, *asked[-1]))
                    await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await asyncio.sleep(120)

    def live() -> None:
        loop.set_exception_handler(lambda *_: None)  # clients that walk away are the point
        with contextlib.suppress(RuntimeError, asyncio.CancelledError):
            loop.run_until_complete(run())

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0], asked
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def arguments(out, port, *seeds, **fields):
    given = {"test_only_loopback": port, "delay_s": 0, "delay_factor": 0, "max_delay_s": 0.2, "rounds": 1, **fields}
    settings = [f"--set=crawl.{name}={json.dumps(value)}" for name, value in given.items()]
    return ["crawl", *seeds, "--contact", CONTACT, "--out", out, "--quiet", "--workers=1", *settings]


def requests(out):
    names = [shard["name"] for shard in jobs.manifest(out, "crawl")["shards"] if shard["kind"] == "requests"]
    return pa.concat_tables([pq.read_table(out / name) for name in names]).to_pylist()


def a_page(host: str, path: str) -> bytes:
    return ABSENT if path in FILES else ok(PAGE)


# What a user may do wrong


def test_credentials_of_a_seed_are_nowhere(tmp_path):
    with site(a_page) as (port, _):
        seed = "http://bob:s3cr3tpw@a.example/"
        said = jobs.run(*arguments(tmp_path, port, seed)) + jobs.run(*arguments(tmp_path, port, seed), "--plan")
    holding = [str(path) for path in tmp_path.rglob("*") if path.is_file() and b"s3cr3tpw" in path.read_bytes()]
    assert (holding, "s3cr3tpw" in said) == ([], False)


@pytest.mark.parametrize("seed", ["ftp://bob:s3cr3tpw@a.example/", "https//bob:s3cr3tpw@a.example/"])
def test_credentials_of_a_wrong_seed_are_not_repeated(tmp_path, seed):
    process = jobs.start(*arguments(tmp_path, 9, seed))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "s3cr3tpw" not in out + err


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        pytest.param("crawl.delay_s=[", "crawl.delay_s", id="a value that is no YAML"),
        pytest.param("crawl.delay_s=2026-01-01", "crawl.delay_s", id="a date"),
        pytest.param("crawl.exclude=[foo]", "crawl.exclude", id="an exclude that is no URL"),
    ],
)
def test_a_wrong_setting_is_wrong_usage_and_names_its_field(tmp_path, setting, named):
    said = jobs.run(*arguments(tmp_path, 9, "http://a.example/"), "--set", setting, "--plan", status=2)
    assert named in said.splitlines()[-1]
    assert "Traceback" not in said


def test_a_seed_that_is_empty_is_no_folder(tmp_path, monkeypatch):
    (tmp_path / "list.txt").write_text("http://a.example/\n")
    monkeypatch.chdir(tmp_path)
    process = jobs.start(*arguments(tmp_path / "out", 9, ""), "--plan")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, out
    assert err.startswith("corpusmill: seed 1")


def test_an_output_that_is_empty_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = jobs.run(*arguments("", 9, "http://a.example/"), "--plan", status=2)
    assert "--out: is empty" in said.splitlines()[-1]


def test_of_a_list_that_holds_nothing_the_reasons_are_told(tmp_path):
    (tmp_path / "bad.txt").write_text("ftp://a.example/\nhttp://\nfile:///etc/passwd\n")
    said = jobs.run(*arguments(tmp_path / "out", 9, tmp_path / "bad.txt"), status=1)
    assert said.splitlines()[-1].endswith("that may be fetched (skipped: 1 malformed, 2 scheme)")


def test_inspect_finds_a_page_however_its_url_is_spelled(tmp_path):
    with site(a_page) as (port, _):
        jobs.run(*arguments(tmp_path, port, "http://a.example/~b?c=1"))
    for spelled in ("HTTP://A.example:80/%7eb?utm_source=x&c=1#d", "http://a.example/~b?c=1"):
        said = jobs.run("inspect", "--out", tmp_path, "--job", "crawl", "--uri", spelled)
        assert json.loads(said)["uri"] == "http://a.example/~b?c=1"
    jobs.run("inspect", "--out", tmp_path, "--job", "crawl", "--uri", "no URL", status=1)


def test_a_list_with_two_url_columns_is_named_in_one_line(tmp_path):
    urls = pa.array(["http://a.example/"])
    pq.write_table(pa.table([urls, urls], names=["url", "url"]), tmp_path / "two.parquet")
    process = jobs.start(*arguments(tmp_path / "out", 9, str(tmp_path / "two.parquet")))
    _, err = process.communicate(timeout=60)
    assert process.returncode in (1, 2)
    assert "two.parquet" in err
    assert len(err.splitlines()) == 1


@pytest.mark.long  # its measure is upset by other tests of the same process
def test_control_c_while_one_worker_fetches_ends_with_130(tmp_path):
    def slow(host: str, path: str) -> bytes:
        time.sleep(0.3)
        links = "".join(f"<a href=/{path.strip('/')}{n}>" for n in range(9)).encode()
        return ABSENT if path in FILES else ok(links)

    with site(slow) as (port, asked):
        process = jobs.start(*arguments(tmp_path, port, *(f"http://a{n}.example/" for n in range(8)), connections=1))
        assert jobs.wait_for(lambda: len(asked) > 2, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, len(err.splitlines())) == (130, 1), err


def test_of_two_crawls_at_once_none_is_lost_in_silence(tmp_path):
    go = threading.Event()

    def held(host: str, path: str) -> bytes:
        if host == "late.example" and path == "/":
            go.wait(60)
        return a_page(host, path)

    with site(held) as (port, asked):
        late = jobs.start(*arguments(tmp_path, port, "http://late.example/"))
        assert jobs.wait_for(lambda: ("late.example", "/") in asked, late)
        early = jobs.start(*arguments(tmp_path, port, "http://early.example/"))
        # the second may wait for the first, or be refused
        jobs.wait_for(lambda: early.poll() is not None or ("early.example", "/") in asked, early)
        with contextlib.suppress(Exception):
            early.wait(8)
        go.set()
        said = {process: process.communicate(timeout=60) for process in (late, early)}
    kept = {row["uri"] for row in requests(tmp_path) if row["verdict"] == "kept"}
    done = {process: f"http://{name}.example/" for process, name in ((late, "late"), (early, "early"))}
    assert {uri for process, uri in done.items() if process.returncode == 0} <= kept, said


# What a site may do to us


def test_an_index_of_sitemaps_brings_no_more_than_the_limit(tmp_path):
    def answer(host: str, path: str) -> bytes:
        if path == "/robots.txt":
            return ok(b"Sitemap: http://a.example/s.xml\n", media_type="text/plain")
        if not path.endswith(".xml"):
            return a_page(host, path)
        locations = (f"<sitemap><loc>http://a.example{path[:-4]}x{n}.xml</loc></sitemap>" for n in range(40))
        return ok(f"<sitemapindex>{''.join(locations)}</sitemapindex>".encode(), media_type="application/xml")

    with site(answer) as (port, asked):
        jobs.run(*arguments(tmp_path, port, "http://a.example/"), "--set=limits.max_sitemaps_per_host=20")
    assert sum(path.endswith(".xml") for _, path in asked) <= 20


def test_more_hosts_than_file_descriptors(tmp_path):
    (tmp_path / "seeds.txt").write_text("".join(f"http://h{n}.example/\n" for n in range(400)))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with site(a_page) as (port, _):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
        limited = ["/bin/sh", "-c", 'ulimit -Sn 256; exec "$@"', "sh", str(jobs.SCRIPT)]
        given = [str(each) for each in arguments(tmp_path / "out", port, str(tmp_path / "seeds.txt"))]
        done = jobs.subprocess.run([*limited, *given], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
    assert Counter(row["verdict"] for row in requests(tmp_path / "out")) == {"kept": 400}


def peak_mib(*given) -> tuple[int, int]:
    """Return (exit status, peak memory of the launcher in MiB)."""
    process = jobs.start(*given)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss // 1024


def sitemap_bomb(size: int) -> bytes:
    """Return `size` bytes of sitemap in gzip, at about 1 : 100."""
    noise = random.Random(1)
    press = zlib.compressobj(6, zlib.DEFLATED, 31)
    unit, coded = b"<url><loc>http://a.example/x</loc></url>", [press.compress(b"<urlset>")]
    for _ in range(size // MIB):
        comment = b"<!--" + bytes(noise.choices(range(97, 123), k=14_000)) + b"-->"
        coded.append(press.compress(comment + unit * ((MIB - len(comment)) // len(unit))))
    return b"".join([*coded, press.flush()])


@pytest.mark.long  # its measure is upset by other tests of the same process
def test_sitemaps_that_swell_at_many_hosts_at_once_are_held_one_after_another(tmp_path):
    bomb = ok(sitemap_bomb(49 * MIB), "Content-Encoding: gzip", media_type="application/xml")

    def answer(host: str, path: str) -> bytes:
        return bomb if path == "/s.xml" else ABSENT

    with site(answer) as (port, _):
        status, peak = peak_mib(*arguments(tmp_path, port, *(f"http://h{n}.example/s.xml" for n in range(16))))
    assert status == 0
    assert peak < 1024


@pytest.mark.long  # its measure is upset by other tests of the same process
def test_many_subdomains_with_half_a_megabyte_of_rules_each(tmp_path):
    letters = bytes(random.Random(1).choices(b"abcdefgh\n", k=490_000))

    def answer(host: str, path: str) -> bytes:
        if path in FILES:
            return ok(b"user-agent: *\ndisallow: /x\n# " + letters, media_type="text/plain")
        return ok(host.encode() + b"".join(b"<a href=http://w%d.a.example/>" % n for n in range(60)))

    with site(answer) as (port, _):
        status, peak = peak_mib(*arguments(tmp_path, port, "http://a.example/", rounds=2))
    assert status == 0
    assert peak < 700


def test_what_an_owner_says_is_held_within_a_bound(tmp_path):
    """14 bytes of page are no reason to keep 600 KB of words with them, once more for each page."""
    lines = "".join(f"content-usage: train-ai=y, x{n}=1\n" for n in range(14_000))

    def answer(host: str, path: str) -> bytes:
        if path == "/robots.txt":
            return ok(f"user-agent: *\n{lines}".encode(), media_type="text/plain")
        if path == "/meta":
            return ok(b'<meta name=robots content="' + b"index," * 200_000 + b'">')
        return ABSENT if path in FILES else ok(b"<a href=/meta>")

    with site(answer) as (port, _):
        jobs.run(*arguments(tmp_path, port, "http://a.example/", rounds=2))
    assert {
        row["uri"]: len(row["policy"] or "") for row in requests(tmp_path) if len(row["policy"] or "") > 65_536
    } == {}


def test_media_types_that_nobody_has_heard_of_do_not_swell_the_manifest(tmp_path):
    def answer(host: str, path: str) -> bytes:
        return ABSENT if path in FILES else ok(PAGE, media_type=f"text/{host[0] * 30_000}")

    with site(answer) as (port, _):
        jobs.run(*arguments(tmp_path, port, *(f"http://{letter}.example/" for letter in "abcd")))
    assert (tmp_path / "crawl/manifests/v000001.json").stat().st_size < 30_000


def test_not_modified_counts_only_where_it_was_asked():
    """An etag that no request can hold was not sent, so nobody asked whether the page has changed."""
    url = "http://a.example/"
    target = Target(1, b"i" * 16, url, url[:-1], "page", "seed", None, None, 0, 0, 1, 0, '"é"', None, b"d" * 32)
    reader = Reader(Crawl(seeds=(url,), contact=CONTACT), CrawlLimits(), lambda url, depth: None)
    answered = Exchange(url, 304, b"", b"", (), b"", b"", "127.0.0.1", 0.0, 0.1)
    assert conditions(target) == {}
    assert reader.answer(target, answered, None).state == "failed"


BOMB = gzip.compress(b"\0" * (40 * MIB))
ODD = {
    "no-http": (b"<html>hello</html>\r\n\r\n", "failed/malformed_response"),
    "http2": (b"HTTP/2 200 OK\r\n\r\nhello", "failed/malformed_response"),
    "status-0": (b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n", "failed/malformed_response"),
    "status-99999": (b"HTTP/1.1 99999 X\r\nContent-Length: 0\r\n\r\n", "failed/malformed_response"),
    "status-999": (b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n", "failed/malformed_response"),
    "length-negative": (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "failed/malformed_response"),
    "length-twice": (ok(b"ab", "Content-Length: 1"), "failed/malformed_response"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n", "failed/malformed_response"),
    "header-1-mb": (ok(PAGE, "X: " + "a" * MIB), "failed/malformed_response"),
    "headers-5000": (ok(PAGE, *(f"X{n}: 1" for n in range(5000))), "failed/malformed_response"),
    "etag-100-kb": (ok(PAGE, f'ETag: "{"e" * 100_000}"'), "failed/malformed_response"),
    "robots-tag-bytes": (ok(PAGE, "X-Robots-Tag: \xff\xfe, \x80"), "kept"),
    "robots-tag-noai-among-bytes": (ok(PAGE, "X-Robots-Tag: \xff\xfe, noai"), "refused/noai"),
    "reason-bytes": (b"HTTP/1.1 200 \xff\xfe\r\nContent-Length: 2\r\nContent-Type: text/html\r\n\r\nhi", "kept"),
    "charset-base64": (ok(PAGE, media_type="text/html; charset=base64"), "kept"),
    "charset-undefined": (ok(PAGE, media_type="text/html; charset=undefined"), "kept"),
    "charset-path": (ok(PAGE, media_type="text/html; charset=../../etc"), "kept"),
    "location-file": (ok(b"", "Location: file:///etc/passwd", status="301 M"), "failed/blocked_scheme"),
    "location-self": (ok(b"", "Location: ", status="301 M"), "failed/redirect_loop"),
    "location-8-kb": (ok(b"", f"Location: /{'a' * 8192}", status="301 M"), "failed/url_too_long"),
    "location-metadata": (ok(b"", "Location: http://169.254.169.254/", status="301 M"), "redirected"),
    "nesting": (ok(b"<div>" * 200_000), "kept"),
    "attributes": (ok(b"<a " + b" ".join(b"a%d=1" % n for n in range(50_000)) + b">"), "kept"),
    "links": (ok(b"".join(b"<a href=/%d>x</a>" % n for n in range(100_000))), "kept"),
    "codings-4": (ok(PAGE, "Content-Encoding: gzip, gzip, gzip, gzip"), "failed/too_many_codings"),
    "codings-bomb": (ok(gzip.compress(BOMB), *["Content-Encoding: gzip"] * 2), "failed/decoded_too_large"),
    "coding-lie": (ok(PAGE, "Content-Encoding: gzip"), "kept"),
    "304-unasked": (ok(b"", status="304 Not Modified"), "failed/malformed_response"),
}  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A crawl of a host for each answer of ODD."""
    out = tmp_path_factory.mktemp("odd")

    def answer(host: str, path: str) -> bytes:
        return ABSENT if path in FILES or path != "/" else ODD[host.removesuffix(".example")][0]

    with site(answer) as (port, _):
        jobs.run(*arguments(out, port, *(f"http://{name}.example/" for name in ODD)), "--set=limits.fetch_s=5.0")
    return out


def test_every_odd_answer_has_its_outcome(odd):
    found = {row["uri"]: "/".join(filter(None, (row["verdict"], row["reason"]))) for row in requests(odd)}
    expected = {f"http://{name}.example/": fate for name, (_, fate) in ODD.items()}
    assert {uri: fate for uri, fate in found.items() if uri in expected} == expected


def test_what_odd_answers_left_is_sound_and_both_readers_agree_on_it(odd):
    assert "sound" in jobs.run("verify", "--out", odd)
    shards = [s["name"] for s in jobs.manifest(odd, "crawl")["shards"] if s["kind"] in ("warc", "diagnostics")]
    for name in shards:
        with (odd / name).open("rb") as file:
            one = [record.rec_headers.get_header("WARC-Record-ID") for record in ArchiveIterator(file)]
        with (odd / name).open("rb") as file:
            sound = {each.record_id: each.verify_block_digest() for each in FastIterator(file, parse_http=False)}
        assert one == list(sound)
        assert all(sound.values())
