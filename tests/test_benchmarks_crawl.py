"""The crawl benchmark's arithmetic, and its site: every page reached, no two the same, the forbidden one shut."""

import json
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from benchmarks.crawl import MODES, OURS, check, compared, flat, sites, whole_hosts
from benchmarks.crawl_site import PAGES_A_HOST, ROBOTS, Connection, host_name, page_of, templates
from benchmarks.measure import Usage
from pipelines.sources.warc_writer import Page, write_warc

HOSTS = 3
MIB = 1 << 20


class Links(HTMLParser):
    def __init__(self, page: bytes, url: str) -> None:
        super().__init__()
        self.url, self.found = url, []
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.found += [urljoin(self.url, value) for name, value in attrs if (tag, name) == ("a", "href")]


def test_links_lead_to_every_page_in_three_rounds_and_to_one_that_is_forbidden():
    known = {f"http://{host_name(number)}/p/0" for number in range(HOSTS)}
    bodies = {}
    for _ in range(3):
        for url in [url for url in known - set(bodies) if "/p/" in url]:
            at = urlsplit(url)
            bodies[url] = page_of(int(at.netloc[1:6]), int(at.path[3:]), HOSTS, "")
            known |= set(Links(bodies[url], url).found)
    pages = {f"http://{host_name(host)}/p/{page}" for host in range(HOSTS) for page in range(PAGES_A_HOST)}
    assert set(bodies) == pages
    assert known - pages == {f"http://{host_name(host)}/private/" for host in range(HOSTS)}
    assert len(set(bodies.values())) == len(pages)


def test_pages_are_about_20_kb_of_real_html():
    sizes = [len(page_of(0, page, HOSTS, ":80")) for page in range(PAGES_A_HOST)]
    assert 19_000 < sum(sizes) / len(sizes) < 22_000
    assert len(templates()) == 64


class Transport:
    def __init__(self):
        self.sent = b""

    def write(self, data):
        self.sent += data


def asked(*requests: bytes) -> tuple[bytes, Counter]:
    connection = Connection(HOSTS, Counter())
    connection.transport = Transport()
    for request in requests:
        connection.data_received(request)
    return connection.transport.sent, connection.counts


@pytest.mark.parametrize(
    ("path", "host", "status", "counted"),
    [
        pytest.param("/p/7", "h00001.example", 200, "pages", id="a page"),
        pytest.param("/p/7", "h00001.example:8000", 200, "pages", id="a page of a host with a port"),
        pytest.param("/robots.txt", "h00000.example", 200, "robots", id="robots.txt"),
        pytest.param("/private/", "h00000.example", 404, "private", id="what is forbidden is noted"),
        pytest.param("/p/50", "h00001.example", 404, "missing", id="no such page"),
        pytest.param("/p/1", "h00003.example", 404, "missing", id="no such host"),
        pytest.param("/p/1", "127.0.0.1", 404, "missing", id="another name"),
    ],
)
def test_the_server_answers_and_counts(path, host, status, counted):
    sent, counts = asked(f"GET {path} HTTP/1.1\r\nHo".encode(), f"st: {host}\r\n\r\n".encode())
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"
    assert counts == {counted: 1}
    assert body == ROBOTS or counted != "robots"


def test_two_requests_in_one_piece_get_two_answers():
    sent, counts = asked(b"GET /robots.txt HTTP/1.1\r\nHost: h00000.example\r\n\r\n" * 2)
    assert sent.count(b"HTTP/1.1 200 OK") == counts["robots"] == 2


def test_the_server_ends_with_its_input_and_tells_its_counts():
    command = [sys.executable, "-m", "benchmarks.crawl_site", "--hosts", "1"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=True)
    port, counts = done.stdout.splitlines()
    assert int(port) > 0 and json.loads(counts) == {}


def test_a_site_is_asked_over_loopback():
    with sites() as site:
        assert site(2 * PAGES_A_HOST).counts() == {"connections": 1}
        assert site(2 * PAGES_A_HOST).seeds.read_text() == "http://h00000.example/p/0\nhttp://h00001.example/p/0\n"


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        pytest.param(["p/0", "p/1"], None, id="every page once"),
        pytest.param(["p/0"], "1 pages, 1 different", id="one is missing"),
        pytest.param(["p/0", "p/0"], "2 pages, 1 different", id="one came twice"),
        pytest.param(["p/0", "p/1", "private/"], "robots.txt forbids", id="one that is forbidden"),
    ],
)
def test_a_crawl_is_held_against_the_site(tmp_path, paths, said):
    folder = tmp_path / "crawl" / "data" / "r0001"
    folder.mkdir(parents=True)
    pages = [Page(f"http://{host_name(0)}/{path}", b"x") for path in paths]
    write_warc(folder / "part.warc.gz", "2026-01-01T00:00:00Z", (("software", "test"),), pages)
    if said is None:
        check(2, tmp_path)
    else:
        with pytest.raises(RuntimeError, match=said):
            check(2, tmp_path)


def used(cpu_s):
    return [Usage(cpu_s, cpu_s, 0, 0)]


def test_pages_a_cpu_second_are_held_against_scrapys_and_the_bare_libraries():
    series = {
        OURS: {100: used(5.0), 1100: used(7.0)},
        "bare libraries": {100: used(1.0), 1100: used(2.0)},
        "bare aiohttp": {100: used(1.0), 1100: used(1.5)},
        **{f"scrapy {mode}": {100: used(1.0), 1100: used(5.0)} for mode in MODES},
    }
    rows = compared(series, 100, 1100)
    assert [(row.figure, row.verdict) for row in rows] == [(2.0, "met"), (2.0, ""), (2.0, ""), (4.0, "")]
    slower = compared({**series, OURS: {100: used(5.0), 1100: used(8.0)}}, 100, 1100)
    assert slower[0].verdict == "**missed**"


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        pytest.param([(0, 90, 40), (200, 100, 50), (1000, 105, 52)], "met", id="it stands"),
        pytest.param([(0, 90, 40), (200, 100, 50), (1000, 120, 50)], "**missed**", id="the worker grows"),
        pytest.param([(0, 90, 40), (200, 100, 50), (201, 100, 60)], "**missed**", id="the child grows"),
    ],
)
def test_memory_is_held_against_the_first_fifth_of_the_pages(samples, verdict):
    assert flat([(pages, worker * MIB, child * MIB) for pages, worker, child in samples], 1000).verdict == verdict


@pytest.mark.parametrize(("asked_for", "pages"), [(1, 50), (50, 50), (99, 50), (400, 400)])
def test_a_site_is_of_whole_hosts(asked_for, pages):
    assert whole_hosts(asked_for) == pages
