"""Which addresses may be connected to: the public internet, and nothing else.

What is not known to be public is forbidden, so a range that nobody thought of stays shut. The tables follow the
IANA special-purpose registries (RFC 6890 and its updates, November 2026) and the metadata services of the clouds.
Python's `is_global` is no substitute: it lets NAT64, 6to4 and multicast through (3.11).
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from manifests.reasons import FetchFailed

PORTS = frozenset({80, 443, 8080})
LOOPBACK = "127.0.0.1"  # the one address of the test-only switch

_FORBIDDEN_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; 100.100.100.200 is Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform
        "169.254.0.0/16",  # link-local; .169.254 is the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Global unicast is 2000::/3. All else is forbidden: loopback, mapped and compatible IPv4, NAT64 (64:ff9b::/96 and
# 64:ff9b:1::/48), unique local (fd00:ec2::254 and other metadata), link-local, site-local, multicast.
_GLOBAL_6 = IPv6Network("2000::/3")
_FORBIDDEN_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address inside
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})  # RFC 5214: the upper half of an interface id with IPv4 inside


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _FORBIDDEN_4)
    if address not in _GLOBAL_6 or any(address in network for network in _FORBIDDEN_6):
        return False
    return (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP


@lru_cache(maxsize=4096)
def forbidden(address: str, port: int, *, loopback_port: int | None = None) -> FetchFailed | None:
    """Return why no connection may be made to a numeric address and port, or None if it may.

    With `loopback_port`, the test-only switch, 127.0.0.1 at that port is all that may be connected to. Text that is
    no address in its usual form (octal or short IPv4, say) is forbidden.
    """
    if loopback_port is not None:
        return None if (address, port) == (LOOPBACK, loopback_port) else FetchFailed.BLOCKED_ADDRESS
    try:
        public = _is_public(ip_address(address))
    except ValueError:
        public = False
    if not public:
        return FetchFailed.BLOCKED_ADDRESS
    return None if port in PORTS else FetchFailed.BLOCKED_PORT
