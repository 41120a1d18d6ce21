"""Scrapy at the same work as `corpusmill crawl`; run by the Python of Scrapy's own environment.

    python crawl_scrapy.py SEEDS OUT stock|best GZIP_LEVEL

SEEDS is a file of URLs. Fetch, obey robots.txt, find links by LxmlLinkExtractor, follow those to the seeds' hosts once
each, write request and response records of every page to OUT/pages.warc.gz by warcio; counts go to OUT/counts.json. No
delay, no cookies, no referrers, no telnet, no statistics in the log; host names come from a resolver that answers at
once. Beside this, corpusmill writes a metadata record and sha-256 digests, and keeps its frontier on disk.

  stock  known links are left to Scrapy's duplicate filter, which makes a request of each first; warcio packs as it
         ships, by zlib at level 9
  best   known links go before that, by a set of URLs; ISA-L packs at GZIP_LEVEL, as in corpusmill; uvloop; links are
         held against no list of extensions; not 100 tasks a page for items that there aren't
"""

import io
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import warcio.warcwriter
from isal import isal_zlib
from scrapy import Request, Spider, signals
from scrapy.crawler import CrawlerProcess
from scrapy.linkextractors.lxmlhtml import LxmlLinkExtractor
from scrapy.resolver import CachingThreadedResolver
from twisted.internet import defer
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

CONNECTIONS = 64  # as many as corpusmill's default


class Loopback(CachingThreadedResolver):
    """Every name is 127.0.0.1."""

    def getHostByName(self, name, timeout=()):
        return defer.succeed("127.0.0.1")


SETTINGS = {
    "USER_AGENT": "corpusmill-benchmark (+https://corpusmill.example/)",
    "ROBOTSTXT_OBEY": True,
    "CONCURRENT_REQUESTS": CONNECTIONS,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
    "DOWNLOAD_DELAY": 0,
    "RANDOMIZE_DOWNLOAD_DELAY": False,
    "AUTOTHROTTLE_ENABLED": False,
    "COOKIES_ENABLED": False,
    "REFERER_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "LOG_LEVEL": "ERROR",
    "DNS_RESOLVER": Loopback,
    "EXTENSIONS": {"scrapy.extensions.logstats.LogStats": None, "scrapy.extensions.memusage.MemoryUsage": None},
    "ITEM_PIPELINES": {},
}


BEST = {"ASYNCIO_EVENT_LOOP": "uvloop.Loop", "CONCURRENT_ITEMS": 1}


def pack_by_isal(level: int) -> None:
    """Give warcio another compressor than zlib at level 9, the only one it knows."""

    class Wrapper(warcio.warcwriter.GzippingWrapper):
        def __init__(self, out: io.RawIOBase) -> None:
            super().__init__(out)
            self.compressor = isal_zlib.compressobj(level, isal_zlib.DEFLATED, isal_zlib.MAX_WBITS + 16)

    warcio.warcwriter.GzippingWrapper = Wrapper


class Pages(Spider):
    """Follows every link to a host of the seeds."""

    name = "pages"

    @classmethod
    def from_crawler(cls, crawler, *args, **kwargs):
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.start_urls = Path(kwargs["seeds"]).read_text().split()
        spider.hosts = {urlsplit(url).netloc for url in spider.start_urls}
        spider.file = (Path(kwargs["out"]) / "pages.warc.gz").open("wb")
        spider.writer = WARCWriter(spider.file, gzip=True, warc_version="1.1")
        best = kwargs["mode"] == "best"
        spider.links = LxmlLinkExtractor(deny_extensions=()) if best else LxmlLinkExtractor()
        spider.pages, spider.seen = 0, set(spider.start_urls) if best else None
        crawler.signals.connect(spider.finish, signals.spider_closed)
        return spider

    async def start(self):
        for url in self.start_urls:
            yield Request(url, self.parse)  # by default seeds pass the filter, and come again as links

    def parse(self, response):
        self.pages += 1
        self.write(response)
        for link in self.links.extract_links(response):
            if self.seen is not None:
                if link.url in self.seen:
                    continue
                self.seen.add(link.url)
            if urlsplit(link.url).netloc in self.hosts:
                yield Request(link.url, self.parse)

    def write(self, response):
        """Write a request and its response."""
        url, request = response.url, response.request
        fields = [(name.decode(), value.decode("latin-1")) for name, all_ in request.headers.items() for value in all_]
        head = StatusAndHeaders(f"GET {urlsplit(url).path} HTTP/1.1", fields, is_http_request=True)
        sent = self.writer.create_warc_record(url, "request", http_headers=head)
        fields = [(name.decode(), value.decode("latin-1")) for name, all_ in response.headers.items() for value in all_]
        head = StatusAndHeaders(f"{response.status} OK", fields, protocol="HTTP/1.1")
        got = self.writer.create_warc_record(
            url,
            "response",
            io.BytesIO(response.body),
            warc_headers_dict={"WARC-IP-Address": str(response.ip_address)},
            http_headers=head,
        )
        self.writer.write_request_response_pair(sent, got)

    def finish(self, spider):
        self.file.close()
        stats = self.crawler.stats.get_stats()
        (Path(self.settings["OUT"]) / "counts.json").write_text(json.dumps({"pages": self.pages, **stats}, default=str))


def main() -> None:
    """Crawl."""
    seeds, out, mode, level = sys.argv[1:]
    Path(out).mkdir(parents=True, exist_ok=True)
    if mode == "best":
        pack_by_isal(int(level))
    process = CrawlerProcess({**SETTINGS, "OUT": out, **(BEST if mode == "best" else {})})
    process.crawl(Pages, seeds=seeds, out=out, mode=mode)
    process.start()


if __name__ == "__main__":
    main()
