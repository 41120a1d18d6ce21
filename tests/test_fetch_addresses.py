"""Which addresses are public: tables by registry, and the standard library as the oracle of what is surely not."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manifests.reasons import FetchFailed
from pipelines.fetch.addresses import forbidden

FORBIDDEN = {
    "0.0.0.0": "this host",
    "0.1.2.3": "this network",
    "10.0.0.0": "private, first of 10/8",
    "10.255.255.255": "private, last of 10/8",
    "100.64.0.0": "carrier-grade NAT, first",
    "100.127.255.255": "carrier-grade NAT, last",
    "100.100.100.200": "Alibaba's metadata",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback, far end",
    "168.63.129.16": "Azure's platform",
    "169.254.0.1": "link-local",
    "169.254.169.254": "the clouds' metadata",
    "169.254.170.2": "the metadata of containers",
    "172.16.0.0": "private, first of 172.16/12",
    "172.31.255.255": "private, last of 172.16/12",
    "192.0.0.192": "Oracle's metadata",
    "192.0.2.1": "documentation 1",
    "192.31.196.1": "AS112",
    "192.52.193.1": "AMT",
    "192.88.99.1": "6to4 relay",
    "192.168.0.1": "private, 192.168/16",
    "192.175.48.1": "AS112, delegated",
    "198.18.0.1": "benchmarks",
    "198.19.255.255": "benchmarks, last",
    "198.51.100.1": "documentation 2",
    "203.0.113.1": "documentation 3",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast, last",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback, IPv6",
    "::ffff:127.0.0.1": "loopback, mapped",
    "::ffff:8.8.8.8": "even a public address, mapped",
    "::7f00:1": "loopback, compatible",
    "::ffff:0:127.0.0.1": "loopback, translated (SIIT)",
    "64:ff9b::7f00:1": "loopback through NAT64",
    "64:ff9b:1::a9fe:a9fe": "metadata through local NAT64",
    "100::1": "discard",
    "2001::1": "Teredo",
    "2001:2::1": "benchmarks, IPv6",
    "2001:10::1": "ORCHID",
    "2001:20::1": "ORCHID 2",
    "2001:db8::1": "documentation, IPv6",
    "2002:7f00:1::": "loopback through 6to4",
    "2002:a9fe:a9fe::1": "metadata through 6to4",
    "2620:4f:8000::1": "AS112, IPv6",
    "2a00:1450:4001:800::5efe:7f00:1": "loopback through ISATAP",
    "2a00:1450:4001:800:200:5efe:a00:1": "private through ISATAP",
    "3fff::1": "documentation 2, IPv6",
    "5f00::1": "segment routing",
    "fc00::1": "unique local",
    "fd00:ec2::254": "Amazon's metadata",
    "fd20:ce::254": "Google's metadata",
    "fe80::1": "link-local, IPv6",
    "fe80::1%lo": "link-local with its zone",
    "fec0::1": "site-local",
    "ff02::1": "multicast, IPv6",
    "0177.0.0.1": "octal",
    "127.1": "short",
    "2130706433": "one number",
    "0x7f000001": "one hexadecimal number",
    "": "nothing",
    "localhost": "a name",
}
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2001:4860:4860::8888", "2606:4700::1111",
    "2a00:1450:4001:800::200e", "2003::1",
]  # fmt: skip


@pytest.mark.parametrize("address", [pytest.param(key, id=f"{key} {why}") for key, why in FORBIDDEN.items()])
def test_it_may_not_be_connected_to(address):
    for port in (80, 443, 8080):
        assert forbidden(address, port) is FetchFailed.BLOCKED_ADDRESS


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_neighbours_of_the_forbidden_may(address):
    assert [forbidden(address, port) for port in (80, 443, 8080)] == [None] * 3


@pytest.mark.parametrize("port", [0, 1, 21, 22, 25, 81, 444, 3306, 6379, 8000, 8081, 9200, 11211, 65535])
def test_ports_of_other_services_are_blocked(port):
    assert forbidden("8.8.8.8", port) is FetchFailed.BLOCKED_PORT


@given(st.ip_addresses())
@example(ipaddress.ip_address("64:ff9b::1"))
def test_whatever_the_standard_library_knows_is_not_global_is_forbidden(address):
    if not address.is_global or address.is_multicast or address.is_private:
        assert forbidden(str(address), 80) is FetchFailed.BLOCKED_ADDRESS


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "::", "64:ff9b::", "64:ff9b:1::", "::ffff:0:0:0"]))
def test_no_ipv4_address_passes_inside_an_ipv6_address(inner, prefix):
    outer = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(inner))
    assert forbidden(str(outer), 80) is FetchFailed.BLOCKED_ADDRESS


@given(st.ip_addresses(), st.integers(0, 65535))
def test_the_test_only_switch_opens_one_door_and_shuts_all_others(address, port):
    assert forbidden("127.0.0.1", 5000, loopback_port=5000) is None
    if (str(address), port) != ("127.0.0.1", 5000):
        assert forbidden(str(address), port, loopback_port=5000) is FetchFailed.BLOCKED_ADDRESS


@pytest.mark.parametrize("address", ["8.8.8.8", "127.0.0.2", "::1", "::ffff:127.0.0.1", "localhost"])
def test_behind_the_test_only_switch_even_the_public_is_shut(address):
    assert forbidden(address, 5000, loopback_port=5000) is FetchFailed.BLOCKED_ADDRESS
