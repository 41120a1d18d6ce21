"""What the demo's site serves: real pages, owners' choices, sitemaps, redirects, traps and odd bodies."""

import email.utils
import gzip
import html
import http.client
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import urllib.robotparser
import xml.etree.ElementTree as ET
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from urllib.parse import quote, urldefrag, urljoin, urlsplit

import brotli
import pytest
from demo_site_client import APACHE, CORNERS, PAGE, SITEMAP, Tags, asking, opener, package_pages, raw

from pipelines.demo_input import fetch_package
from pipelines.demo_site.manuals import HOSTS
from pipelines.demo_site.process import MODULE, running_site
from pipelines.demo_site.site import demo_site
from pipelines.demo_site.sitemaps import MAX_URLS, sitemap_resources


@pytest.fixture
def ask(site_port):
    with asking(site_port) as ask:
        yield ask


@pytest.mark.parametrize("package", list(HOSTS))
def test_every_page_is_served_as_its_package_has_it(ask, package):
    for path, file in package_pages(package).items():
        response, body = ask(f"http://{HOSTS[package]}/{quote(path)}")
        assert (response.status, body) == (200, file.read_bytes())
        expected = "application/xhtml+xml" if body.startswith(b"<?xml") else "text/html"
        assert response.getheader("Content-Type") == expected
        modified = email.utils.parsedate_to_datetime(response.getheader("Last-Modified"))
        assert modified.timestamp() == int(file.stat().st_mtime)


def test_images_and_styles_are_served_with_their_types(ask):
    folder = fetch_package("apache2-doc").page_folder
    for path, media_type in {"images/feather.png": "image/png", "style/css/manual.css": "text/css"}.items():
        response, body = ask(f"http://{APACHE}/{path}")
        assert (response.getheader("Content-Type"), body) == (media_type, (folder / path).read_bytes())
    assert ask(f"http://{APACHE}/images/feather.png", Accept_Encoding="gzip")[0].getheader("Content-Encoding") is None


def test_a_page_outside_the_small_choice_is_a_dead_link(ask):
    assert ask(f"http://{APACHE}/en/install.html")[0].status == 404


def test_the_full_site_has_every_page_of_every_package(all_pages):
    full = demo_site(full=True)
    served = Counter(url.split("/")[2] for url, fate in full.fates.items() if fate in ("kept", "refused/noai"))
    for package, host in HOSTS.items():
        pages = [path for path, _ in all_pages if path.startswith(f"{package}/")]
        assert served[host] == len(pages) + 1  # the home page
        assert all(f"/{path.partition('/')[2]}" in full.hosts[host].entries for path in pages)


def test_robots_files_forbid_what_the_site_says_they_do(ask, site):
    """The oracle is the standard library's parser; it knows no `*` inside a path, so queries are left out."""
    checked = Counter()
    for name, host in site.hosts.items():
        response, body = ask(host.url("/robots.txt"))
        if response.status != 200:
            continue
        parser = urllib.robotparser.RobotFileParser()
        parser.parse(body.decode().splitlines())
        for url, fate in host.fates.items():
            if "?" not in url:
                checked[name] += 1
                assert parser.can_fetch("corpusmill", url) is (fate != "refused/robots"), url
    assert len(checked) >= 10


def test_manual_hosts_name_their_sitemap_and_a_small_delay(ask):
    for name in HOSTS.values():
        text = ask(f"http://{name}/robots.txt")[1].decode()
        assert f"Sitemap: http://{name}/sitemap.xml" in text
        assert float(re.search(r"Crawl-delay: (\S+)", text)[1]) <= 0.01


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("/choice/noai.html", "X-Robots-Tag", ["noai, max-image-preview:large"]),
        ("/choice/named.html", "X-Robots-Tag", ["corpusmill: noindex"]),
        ("/choice/lines.html", "X-Robots-Tag", ["max-snippet:20", "unavailable_after: 1 Jan 2030, noai"]),
        ("/choice/tdm.html", "TDM-Reservation", ["1"]),
        ("/choice/usage.html", "Content-Usage", ["train-ai=n"]),
    ],
)
def test_a_choice_stands_in_the_header_as_its_owner_wrote_it(ask, path, name, values):
    response, _ = ask(f"http://{CORNERS}{path}")
    assert (response.status, response.headers.get_all(name)) == (200, values)


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/choice/meta-noai.html", "robots", "noai, noimageai"),
        ("/choice/meta-noindex.html", "robots", "noindex"),
        ("/choice/meta-tdm.html", "tdm-reservation", "1"),
    ],
)
def test_a_choice_stands_in_the_head_of_a_real_page(ask, path, name, value):
    page = ask(f"http://{CORNERS}{path}")[1].decode()
    assert Tags(page).meta[name] == value
    assert len(page) > 10_000


def test_each_manual_has_one_real_page_that_opts_out_by_header(ask, site):
    for host in HOSTS.values():
        refused = [url for url, fate in site.hosts[host].fates.items() if fate == "refused/noai"]
        assert len(refused) == 1
        assert ask(refused[0])[0].getheader("X-Robots-Tag") == "noai, max-image-preview:large"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://tdmrep.owners.example/.well-known/tdmrep.json", '"tdm-reservation": 1'),
        ("http://ai-txt.owners.example/ai.txt", "Disallow: /\n"),
        ("http://usage.owners.example/robots.txt", "Content-Usage: train-ai=n"),
        ("http://signal.owners.example/robots.txt", "Content-Signal: search=yes, ai-train=no"),
        ("http://slow.robots.example/robots.txt", "Crawl-delay: 3600"),
    ],
)
def test_a_choice_stands_in_the_hosts_own_file(ask, url, text):
    response, body = ask(url)
    assert response.status == 200
    assert text in body.decode()


def test_robots_files_may_be_missing_broken_or_elsewhere(ask):
    assert ask("http://open.robots.example/robots.txt")[0].status == 404
    assert ask("http://down.robots.example/robots.txt")[0].status == 503
    moved, _ = ask("http://moved.robots.example/robots.txt")
    assert (moved.status, moved.getheader("Location")) == (301, "http://closed.robots.example/robots.txt")


@pytest.mark.parametrize("package", list(HOSTS))
def test_the_sitemaps_list_every_page_once(ask, package):
    host = HOSTS[package]
    root = ET.fromstring(ask(f"http://{host}/sitemap.xml")[1])
    assert root.tag == f"{SITEMAP}sitemapindex"
    listed, names = Counter(), [each.findtext(f"{SITEMAP}loc") for each in root]
    for name in names:
        response, body = ask(name)
        zipped = name.endswith(".gz")
        assert response.getheader("Content-Type") == ("application/gzip" if zipped else "application/xml")
        assert response.getheader("Content-Encoding") is None
        urls = ET.fromstring(gzip.decompress(body) if zipped else body)
        assert urls.tag == f"{SITEMAP}urlset"
        listed.update((each.findtext(f"{SITEMAP}loc"), each.findtext(f"{SITEMAP}lastmod")) for each in urls)
    assert {name.endswith(".gz") for name in names} == {True, False}
    files = package_pages(package)
    stamp = {
        path: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(file.stat().st_mtime)) for path, file in files.items()
    }
    assert listed == Counter((f"http://{host}/{quote(path)}", stamp[path]) for path in files)


def test_a_long_sitemap_is_cut_into_files_of_the_protocols_size():
    files = sitemap_resources(
        "http://a.example", {"x": [(f"http://a.example/{n}?a&b", 0) for n in range(MAX_URLS + 1)]}
    )
    sizes = {path: len(ET.fromstring(data)) for path, data in files.items()}
    assert sizes == {"/sitemap.xml": 2, "/sitemaps/x.xml": MAX_URLS, "/sitemaps/x-1.xml": 1}
    first = ET.fromstring(files["/sitemaps/x.xml"])[0]
    assert first.findtext(f"{SITEMAP}loc") == "http://a.example/0?a&b"
    assert max(map(len, files.values())) < 50 << 20


def test_urllib_follows_the_chain_to_its_end(site_port):
    with opener(site_port).open(f"http://{CORNERS}/chain/1", timeout=20) as response:
        assert response.url == f"http://{CORNERS}/chain/end.html"
        assert b"Here it is." in response.read()


def test_the_chain_has_every_kind_of_redirect(ask):
    assert [ask(f"http://{CORNERS}/chain/{hop}")[0].status for hop in range(1, 6)] == [301, 302, 303, 307, 308]


@pytest.mark.parametrize("path", ["/loop/a", "/far/0", "/file"])
def test_urllib_gives_up_on_a_loop_a_long_way_and_a_file(site_port, path):
    with pytest.raises(urllib.error.HTTPError):
        opener(site_port).open(f"http://{CORNERS}{path}", timeout=20)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://www.apache.example/en/caching.html?a=1", "http://apache.example/en/caching.html?a=1"),
        ("http://www.apache.example/robots.txt", "http://apache.example/robots.txt"),
        ("http://corners.example/away", "http://apache.example/en/caching.html"),
        ("http://debian-handbook.example/ja-JP", None),
    ],
)
def test_what_has_moved_says_where(ask, url, location):
    response, _ = ask(url)
    assert (response.status, response.getheader("Location")) == ((301, location) if location else (404, None))


def test_a_folder_without_its_slash_is_sent_to_the_one_with_it():
    index = fetch_package("apache2-doc").page_folder / "ja/index.html"
    with running_site(full=True) as port:
        slashless = raw(port, b"GET /ja HTTP/1.1\r\nHost: apache.example\r\nConnection: close\r\n\r\n")
        assert b"\r\nLocation: http://apache.example/ja/\r\n" in slashless
        answer = raw(port, b"GET /ja/ HTTP/1.1\r\nHost: apache.example\r\nConnection: close\r\n\r\n")
        assert answer.partition(b"\r\n\r\n")[2] == index.read_bytes()


@pytest.mark.parametrize("start", ["/calendar/2026/11/22/", "/shop/", "/deep/a/"])
def test_a_trap_always_leads_on(ask, start):
    url, seen = f"http://{CORNERS}{start}", set()
    for _ in range(60):
        seen.add(url)
        response, body = ask(url)
        assert response.status == 200
        url = urljoin(url, Tags(body.decode()).links[-1])
    assert len(seen) == 60


@pytest.mark.parametrize("day", ["2026/02/30", "0001/01/01", "9999/12/31", "2026", "2026/13/01", "٢٠٢٦/01/01"])
def test_a_day_that_cannot_be_shown_is_no_page(ask, day):
    response, _ = ask(f"http://{CORNERS}/calendar/{quote(day)}/")
    assert response.status == 404


def test_the_slow_page_takes_its_time_while_others_are_served(ask, site_port):
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(
            raw, site_port, b"GET /slow.html HTTP/1.1\r\nHost: corners.example\r\nConnection: close\r\n\r\n"
        )
        answered = [ask(f"http://{APACHE}{PAGE}")[0].status for _ in range(20)]
        assert not slow.done()
        assert set(answered) == {200}
        assert b"Transfer-Encoding: chunked" in slow.result()
    assert 1.8 < time.monotonic() - begun < 15


def test_the_slow_page_is_whole(ask):
    article = (fetch_package("apache2-doc").page_folder / "en/caching.html").read_bytes()
    assert ask(f"http://{CORNERS}/slow.html")[1] == article


def test_a_page_breaks_off(site_port):
    connection = http.client.HTTPConnection("127.0.0.1", site_port, timeout=20)
    connection.request("GET", "/cut.html", headers={"Host": CORNERS})
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()


def test_codings_go_twice_too_far_and_wrong(ask):
    article = (fetch_package("apache2-doc").page_folder / "en/caching.html").read_bytes()
    twice, body = ask(f"http://{CORNERS}/coding/twice.html")
    assert twice.getheader("Content-Encoding") == "gzip, gzip"
    assert gzip.decompress(gzip.decompress(body)) == article
    assert ask(f"http://{CORNERS}/coding/thrice.html")[0].getheader("Content-Encoding").count("gzip") == 3
    with pytest.raises((zlib.error, gzip.BadGzipFile, EOFError)):
        gzip.decompress(ask(f"http://{CORNERS}/coding/damaged.html")[1])


def test_the_bomb_is_small_and_becomes_large(ask):
    _, body = ask(f"http://{CORNERS}/coding/bomb.html")
    assert len(body) < 1000
    assert len(brotli.decompress(body)) == 64 << 20


@pytest.mark.parametrize("charset", ["Shift_JIS", "EUC-JP", "ISO-2022-JP"])
def test_a_japanese_page_says_the_same_in_every_charset(ask, charset):
    original = (fetch_package("apache2-doc").page_folder / "ja/handler.html").read_text()
    _, body = ask(f"http://{CORNERS}/charset/{charset}.html")
    text = body.decode(charset)
    assert f"charset={charset}" in text
    assert html.unescape(text.replace(charset, "UTF-8")) == html.unescape(original)


def test_a_page_with_a_japanese_address_is_found_by_its_octets(ask):
    response, body = ask(f"http://{CORNERS}/{quote('記事')}/{quote('ハンドラ')}.html")
    assert response.status == 200
    assert "ハンドラ" in body.decode()


def test_the_busy_page_asks_for_patience_and_then_answers():
    with running_site() as port:
        opened = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        seen = []
        for _ in range(3):
            opened.request("GET", "/status/busy.html", headers={"Host": CORNERS})
            response = opened.getresponse()
            response.read()
            seen.append((response.status, response.getheader("Retry-After")))
        opened.close()
    assert seen == [(503, "1"), (503, "1"), (200, None)]


def links_from(ask, url):
    """Return what a page or sitemap leads to; a plain reading, for pages of this site."""
    response, body = ask(url)
    if response.status in range(300, 400):
        return [urljoin(url, response.getheader("Location"))]
    if url.endswith((".xml", ".xml.gz")):
        root = ET.fromstring(gzip.decompress(body) if url.endswith(".gz") else body)
        return [each.findtext(f"{SITEMAP}loc") for each in root]
    if response.status != 200 or response.getheader("Content-Encoding"):
        return []
    return [urljoin(url, link) for link in Tags(body.decode("utf-8", "replace")).links]


def test_every_page_that_the_site_promises_is_found_from_its_seeds(ask, site):
    """A walk that shares no code with the crawler: what is promised is found, and nothing promised is a dead link."""
    traps = ("/calendar/", "/shop/", "/deep/")
    waiting = [*site.seeds, *(f"http://{host}/sitemap.xml" for host in HOSTS.values())]
    found = set(waiting)
    while waiting:
        url = waiting.pop()
        if urlsplit(url).path.startswith(traps) or site.fates.get(url) in ("refused/robots", "failed/disconnected"):
            continue
        for link in links_from(ask, url):
            plain = urldefrag(link).url
            parts = urlsplit(plain)
            if parts.scheme == "http" and parts.hostname in site.hosts and plain not in found:
                found.add(plain)
                is_ours = plain in site.fates or plain.endswith((".xml", ".xml.gz"))
                waiting += [plain] * is_ours  # not the dead links of the manuals
    assert set(site.fates) <= found


def test_fates_agree_with_statuses(ask, site):
    expected = {"kept": {200}, "redirected": {301, 302, 303, 307, 308}, "refused": {200}}
    stated = Counter()
    for url, fate in site.fates.items():
        state = fate.partition("/")[0]
        stated[fate] += 1
        if url.endswith("busy.html") or state == "failed":
            continue
        assert ask(url)[0].status in expected[state], url
    assert {fate for fate in stated if fate.startswith("refused/")} == {
        f"refused/{reason}"
        for reason in ("robots", "noai", "noindex", "tdm_reservation", "content_usage", "content_signal", "ai_txt")
    }
    assert stated["kept"] > 350


def test_reasons_of_fates_are_those_of_the_crawl(site):
    from manifests.reasons import FetchFailed, Refused

    reasons = {"refused": set(Refused), "failed": set(FetchFailed)}
    for fate in site.fates.values():
        state, _, reason = fate.partition("/")
        assert reason in reasons.get(state, {""})
    assert {fate.partition("/")[0] for fate in site.fates.values()} == {"kept", "redirected", "refused", "failed"}


def test_the_log_has_a_line_for_each_answer_in_order(tmp_path):
    log = tmp_path / "log"
    with running_site(log=log) as port:
        for path in (b"/robots.txt", b"/none?a=1", b"/slow.html"):
            raw(port, b"GET %s HTTP/1.1\r\nHost: corners.example\r\nConnection: close\r\n\r\n" % path)
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    assert [row[2:] for row in rows] == [
        ["200", CORNERS, "/robots.txt"],
        ["404", CORNERS, "/none?a=1"],
        ["200", CORNERS, "/slow.html"],
    ]
    times = [(float(row[0]), float(row[1])) for row in rows]
    assert all(start <= end for start, end in times)
    assert all(end <= start for (_, end), (start, _) in pairwise(times))
    assert times[2][1] - times[2][0] > 1.8


def test_two_processes_serve_the_same_bytes(site, ask):
    with running_site() as other:
        connection = http.client.HTTPConnection("127.0.0.1", other, timeout=20)
        for url in sorted(site.fates)[::17]:
            if "/status/" in url or "/cut" in url:
                continue
            parts = urlsplit(url)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"Host": parts.hostname, "Accept-Encoding": "gzip, br, zstd"})
            response = connection.getresponse()
            here, body = ask(url, Accept_Encoding="gzip, br, zstd")
            assert (response.read(), response.getheader("ETag")) == (body, here.getheader("ETag"))
        connection.close()


def start(*options):
    command = [sys.executable, "-m", MODULE, *options]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_ends_when_its_parent_closes_the_pipe():
    with start() as child:
        assert int(child.stdout.readline())
        child.stdin.close()
        assert child.wait(20) == 0


def test_it_ends_by_itself_in_time():
    with start("--max-s", "0.5") as child:
        assert int(child.stdout.readline())
        assert child.wait(20) == 0


def test_it_listens_on_loopback_only(site_port):
    table = [line.split() for line in open("/proc/net/tcp").read().splitlines()[1:]]  # noqa: SIM115, PTH123
    local = [row[1] for row in table if row[3] == "0A" and int(row[1].split(":")[1], 16) == site_port]
    assert local == [f"0100007F:{site_port:04X}"]
