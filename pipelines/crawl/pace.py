"""How gently a worker asks: delays between two requests to a host, and when it is left alone. Times are in seconds."""

from dataclasses import dataclass

from manifests.limits import CrawlLimits
from pipelines.crawl.block import Crawl


@dataclass(frozen=True)
class Pace:
    """How gently a worker asks; the fields are those of the block and the limits."""

    delay_s: float
    delay_factor: float
    max_delay_s: float
    max_retry_after_s: float
    max_attempts: int
    max_host_failures: int
    connections_per_domain: int
    max_host_s: float = float("inf")  # of requests in one round; then the host rests

    @classmethod
    def of(cls, block: Crawl, limits: CrawlLimits) -> "Pace":
        """Return the pace that a recipe asks for."""
        return cls(
            block.delay_s,
            block.delay_factor,
            block.max_delay_s,
            limits.max_retry_after_s,
            limits.max_attempts,
            limits.max_host_failures,
            block.connections_per_domain,
            block.max_host_s,
        )

    def after(self, took_s: float, crawl_delay_s: float) -> float:
        """Return the seconds between the end of a request that took `took_s` and the start of the next."""
        return max(self.delay_s, crawl_delay_s, min(self.delay_factor * took_s, self.max_delay_s))

    def after_failure(self, gap_s: float, failures: int, retry_after_s: float | None) -> float:
        """Return the same after the `failures`-th failure in a row (1 or more), where `gap_s` would do otherwise."""
        if retry_after_s is not None:
            return max(gap_s, retry_after_s)
        return max(gap_s, min(gap_s * 2.0**failures, self.max_retry_after_s))
