"""All hosts of the demo's site, where a crawl of it starts, and what it should come to."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.demo_input import Package, fetch_package
from pipelines.demo_site.corners import corner_hosts
from pipelines.demo_site.host import Host, page_response
from pipelines.demo_site.manuals import HOSTS, bare_host, manual_host
from pipelines.demo_site.message import Request, Response
from pipelines.demo_site.owners import owner_hosts


@dataclass(frozen=True)
class Site:
    """Hosts by name."""

    hosts: dict[str, Host]

    def respond(self, request: Request) -> Response:
        """Answer by the Host field; 421 for a host that is not ours (RFC 9110, 15.5.20)."""
        host = self.hosts.get(request.host)
        if host is None:
            return page_response(421, "Misdirected request", "<p>No such host here.</p>")
        return host.respond(request)

    @property
    def seeds(self) -> list[str]:
        """Return where a crawl starts: the home page of every host."""
        return [host.url("/") for host in self.hosts.values()]

    @property
    def fates(self) -> dict[str, str]:
        """Return URL -> state or state/reason, as a crawl of pages with the default settings should find them.

        Only pages that are there to be found: dead links of the manuals and the endless calendar are not listed.
        """
        return {url: fate for host in self.hosts.values() for url, fate in host.fates.items()}


def demo_site(full: bool = True, packages: Iterable[Package] | None = None) -> Site:
    """Return the site of the demo's input, fetching the packages where the cache has none.

    full: every page of the packages, else about 360, the same page names in every locale.
    Raises InputUnavailable where the packages can't be had.
    """
    unpacked = list(packages) if packages is not None else [fetch_package(name) for name in HOSTS]
    manuals = [manual_host(package, full) for package in unpacked]
    bare = [bare_host(host.name) for host in manuals if host.name.count(".") == 1]
    hosts = [*manuals, *bare, *corner_hosts(unpacked), *owner_hosts(unpacked)]
    return Site({host.name: host for host in hosts})
