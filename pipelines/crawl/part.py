"""A part of a range: what one checkpoint commits. Its marker is written last, so a killed worker goes on behind it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from manifests.keys import canonical_json
from manifests.objects import read_json
from manifests.runs import write_run
from manifests.store import Store
from pipelines.crawl.answers import MAX_DETAIL_CHARS
from pipelines.crawl.claims import ClaimLostError
from pipelines.crawl.compose import put_part
from pipelines.crawl.discover import Discover
from pipelines.crawl.fetched import Batch, SiteFile, Target, pending_rows
from pipelines.crawl.judge import Judge, Judged
from pipelines.crawl.records import HOST, OUTCOME
from pipelines.crawl.warc import Capture, warc_date, write_captures
from pipelines.fetch.exchange import Exchange

ORDER = ("key", "url_id", "ended_s")
FAMILIES = ("warc", "diagnostics")  # what is kept; everything else that was answered
_KEYS = (*FAMILIES, "outcomes", "discovered", "hosts", "kept_bytes", "links_skipped")
MAX_MEDIA_TYPE_CHARS = 127  # RFC 6838 has at most 127 for each half; real ones are far shorter
MAX_VALIDATOR_CHARS = 1024  # a longer ETag or Last-Modified is not stored, so it is never sent back
KEPT = ("page", "image", "audio", "video")  # kinds of the first family: a sitemap is read and is no page


def part_marker(prefix: str, number: int) -> str:
    return f"{prefix}/part-{number:05d}.json"


def finished_parts(store: Store, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the markers of a range's parts, in order. Raises RuntimeError for a damaged or a missing one."""
    number, mend = 0, f"delete {prefix}/ and run the same command again, what it holds is fetched again"
    while store.size(part_marker(prefix, number)) is not None:
        yield read_json(store, part_marker(prefix, number), _KEYS, what="marker of a part", mend=mend)
        number += 1
    missing = part_marker(prefix, number)
    if later := next((name for name, _ in store.list(f"{prefix}/part-") if name > missing), None):
        raise RuntimeError(f"{missing}: missing, though {later} is there; {mend}")


class PartWriter:
    """The sink of a range's worker."""

    def __init__(
        self,
        store: Store,
        prefix: str,
        number: int,
        judge: Judge,
        discover: Discover,
        file_info: dict[str, str],
        follow: Callable[[Target], None],
    ) -> None:
        self.store, self.prefix, self.number = store, prefix, number
        self.judge, self.discover, self.file_info = judge, discover, file_info
        self.follow = follow
        self.written: list[dict[str, Any]] = []
        # always the same thread: each one that has ever written would keep memory of its own
        self._thread = ThreadPoolExecutor(1, "parts")

    async def write(self, batch: Batch) -> None:
        """Commit the batch, in a thread; the sitemaps that it leads to may be read in the same round."""
        for target in await asyncio.get_running_loop().run_in_executor(self._thread, self.store_part, batch):
            self.follow(target)

    def close(self) -> None:
        """End the thread, when it has written what it is at."""
        self._thread.shutdown()

    def store_part(self, batch: Batch) -> list[Target]:
        """Read the pages, judge them, write the records and the rows, and then the marker.

        Return the sitemaps that were found. Raises ClaimLostError where somebody else has written this part.
        """
        read = self.discover(batch.fetched)
        judged = [
            self.judge(each, read.policy.get(row, ()), unread=read.crashed.get(row))
            for row, each in enumerate(batch.fetched)
        ]
        followed = [row for row, each in enumerate(judged) if each.state == "kept"]
        sitemaps = [target for file in batch.files for target in self.discover.sitemaps(file)]
        sitemaps += [t for row in followed for t in read.links.get(row, ()) if t.kind == "sitemap"]
        stem = f"{self.prefix}/{self.number:05d}"
        marker = {
            **self._captures(stem, judged, batch.files),
            "outcomes": self._run(f"{stem}-outcomes", outcomes(judged), ORDER),
            "discovered": [
                *self._run(f"{stem}-links", read.found(followed), ORDER[:2]),
                *self._run(f"{stem}-redirects", redirects(judged), ORDER[:2]),
                *self._run(f"{stem}-sitemaps", pending_rows(sitemaps), ORDER[:2]),
            ],
            "hosts": self._run(f"{stem}-hosts", batch.hosts.cast(HOST), ("key", "authority")),
            "kept_bytes": sum(len(e.fetched.exchange.body) for e in judged if e.state == "kept" and e.fetched.exchange),
            "links_skipped": dict(sorted(self._skipped(read.skipped, judged).items())),
        }
        if not self.store.put_new(part_marker(self.prefix, self.number), canonical_json(marker)):
            raise ClaimLostError(f"{part_marker(self.prefix, self.number)}: another worker fetches from these hosts")
        self.written.append(marker)
        self.number += 1
        return sitemaps

    def _run(self, stem: str, table: pa.Table, order: Sequence[str]) -> list[dict[str, Any]]:
        return [write_run(self.store, stem, table, order).as_json()] if table.num_rows else []

    def _skipped(self, found: Counter[str], judged: Iterable[Judged]) -> Counter[str]:
        return found + Counter(str(each.fetched.skipped) for each in judged if each.fetched.skipped)

    def _captures(self, stem: str, judged: Sequence[Judged], files: Sequence[SiteFile]) -> dict[str, Any]:
        """Write the records of a part; return {family: list of at most one PartRef}."""
        captures: dict[str, list[Capture]] = {family: [] for family in FAMILIES}
        for each in judged:
            if capture := capture_of(each):
                is_kept = each.state == "kept" and each.fetched.target.kind in KEPT
                captures["warc" if is_kept else "diagnostics"].append(capture)
        captures["diagnostics"] += [capture for file in files if (capture := capture_of_file(file))]
        written: dict[str, Any] = {family: [] for family in FAMILIES}
        for family, some in captures.items():
            if some:
                data, lines = write_captures(some, self.file_info)
                written[family] = [put_part(self.store, f"{stem}-{family}", data, lines, len(some)).as_json()]
        return written


def capture_of(judged: Judged) -> Capture | None:
    """Return the WARC records of a URL, None where nothing was answered."""
    fetched = judged.fetched
    if fetched.exchange is None:
        return None
    return Capture(
        fetched.exchange,
        judged.recorded_as,
        judged.reason,
        judged.verdict,
        judged.policy,
        _revisited(judged),
        fetched.robots_digest,
        fetched.target.referrer,
        fetched.target.caption,
        _media_type(fetched.exchange),
    )


def _revisited(judged: Judged) -> tuple[str, str] | None:
    """Return (URL, WARC-Date) of the record that holds what has not changed since."""
    target = judged.fetched.target
    if judged.state != "unchanged" or target.fetched_s is None:
        return None
    return target.url, warc_date(target.fetched_s)


def capture_of_file(file: SiteFile) -> Capture | None:
    """Return the WARC records of a robots.txt, tdmrep.json or ai.txt."""
    if file.exchange is None:
        return None
    return Capture(file.exchange, "failed" if file.error else "kept", str(file.error.reason) if file.error else None)


def outcomes(judged: Sequence[Judged]) -> pa.Table:
    """Return the OUTCOME rows of a part."""
    return pa.Table.from_pylist([_outcome(each) for each in judged], OUTCOME)


def _outcome(judged: Judged) -> dict[str, Any]:
    fetched, found = judged.fetched, judged.fetched.exchange
    target = fetched.target
    row = {
        "key": target.key,
        "url_id": target.url_id,
        "url": target.url,
        "authority": target.authority,
        "kind": target.kind,
        "state": judged.state,
        "reason": judged.reason,
        "detail": judged.detail[:MAX_DETAIL_CHARS] if judged.detail else judged.detail,
        "started_s": found.started_s if found else fetched.started_s,
        "ended_s": fetched.ended_s,
        "robots_digest": fetched.robots_digest,
        "policy": "\n".join(judged.policy).encode(errors="backslashreplace").decode() or None,
        "verdict": canonical_json(judged.verdict).decode() if judged.verdict else None,
        "ip": fetched.error.ip if fetched.error else None,
    }
    if found is not None:
        row |= {
            "status": found.status,
            "media_type": _media_type(found),
            "ip": found.ip,
            "bytes": len(found.body),
            "payload_bytes": len(found.payload),
            "etag": _validator(found, "etag"),
            "last_modified": _validator(found, "last-modified"),
            "digest": fetched.digest,
        }
    return row


def _media_type(found: Exchange) -> str | None:
    media_type = found.content_type[0]
    return media_type[:MAX_MEDIA_TYPE_CHARS] if media_type else None


def _validator(found: Exchange, name: str) -> str | None:
    value = found.header(name)
    return value if value is None or len(value) <= MAX_VALIDATOR_CHARS else None


def redirects(judged: Sequence[Judged]) -> pa.Table:
    """Return where redirects lead, FRONTIER rows."""
    found = {each.fetched.redirect.url_id: each.fetched.redirect for each in judged if each.fetched.redirect}
    return pending_rows(list(found.values()))
