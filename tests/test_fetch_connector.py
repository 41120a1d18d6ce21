"""Names are asked for once and kept a while; an address lets a few in at a time."""

import asyncio
import errno
import socket
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.limits import CrawlLimits
from pipelines.fetch import connector
from pipelines.fetch.client import Fetcher
from pipelines.fetch.connector import BlockedError, Gates, Names
from pipelines.fetch.descriptors import NoDescriptorsError


class Lookup:
    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def __call__(self, host):
        self.asked.append(host)
        await asyncio.sleep(0.01)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_name_is_asked_for_once_by_all_who_want_it_and_then_kept():
    lookup = Lookup(["8.8.8.8"])

    async def main():
        names = Names(lookup)
        answers = await asyncio.gather(*[names.addresses("a.example", 80) for _ in range(9)])
        return answers, names.known("a.example", 443), names.known("b.example", 80)

    assert asyncio.run(main()) == ([("8.8.8.8",)] * 9, ("8.8.8.8",), None)
    assert lookup.asked == ["a.example"]


def test_one_who_gives_up_takes_no_answer_from_the_others():
    async def main():
        names = Names(Lookup(["8.8.8.8"]))
        first = asyncio.create_task(names.addresses("a.example", 80))
        second = asyncio.create_task(names.addresses("a.example", 80))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(main()) == ("8.8.8.8",)


def test_a_failure_is_not_kept():
    async def main():
        names = Names(Lookup(OSError("later"), ["8.8.8.8"]))
        with pytest.raises(OSError, match="later"):
            await names.addresses("a.example", 80)
        return await names.addresses("a.example", 80)

    assert asyncio.run(main()) == ("8.8.8.8",)


def test_an_answer_grows_old(monkeypatch):
    monkeypatch.setattr(connector, "NAME_TTL_S", 0.05)
    lookup = Lookup(["8.8.8.8"], ["9.9.9.9"])

    async def main():
        names = Names(lookup)
        first = await names.addresses("a.example", 80)
        await asyncio.sleep(0.1)
        return first, await names.addresses("a.example", 80)

    assert asyncio.run(main()) == (("8.8.8.8",), ("9.9.9.9",))


def test_memory_of_names_is_bounded(monkeypatch):
    monkeypatch.setattr(connector, "MAX_NAMES", 10)

    async def main():
        names = Names(Lookup(["8.8.8.8"]))
        for n in range(30):
            await names.addresses(f"h{n}.example", 80)
        return [n for n in range(30) if names.known(f"h{n}.example", 80)]

    assert asyncio.run(main()) == list(range(20, 30))


def test_behind_the_test_only_switch_nobody_is_asked():
    lookup = Lookup(["8.8.8.8"])

    async def main():
        names = Names(lookup, loopback_port=5000)
        found = await names.resolve("a.example", 80)
        with pytest.raises(BlockedError):
            await names.addresses("8.8.8.8", 80)
        return [(entry["host"], entry["port"]) for entry in found], await names.addresses("127.0.0.1", 5000)

    assert asyncio.run(main()) == ([("127.0.0.1", 5000)], ("127.0.0.1",))
    assert lookup.asked == []


@given(st.integers(1, 4), st.lists(st.sampled_from("abc"), max_size=40))
def test_no_address_ever_has_more_guests_than_its_gate_is_wide(width, visits):
    present, most = dict.fromkeys("abc", 0), dict.fromkeys("abc", 0)
    gates = Gates(width)

    async def visit(address):
        async with gates.of(address):
            present[address] += 1
            most[address] = max(most[address], present[address])
            await asyncio.sleep(0)
            present[address] -= 1

    async def main():
        await asyncio.gather(*[visit(address) for address in visits])

    asyncio.run(main())
    assert most == {address: min(width, visits.count(address)) for address in "abc"}
    assert gates._open == {}  # nothing is kept of those who left


def test_one_who_gives_up_at_the_gate_leaves_no_trace():
    async def main():
        gates = Gates(1)
        async with gates.of("a"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02), gates.of("a"):
                    pass
        async with asyncio.timeout(1), gates.of("a"):
            return gates

    assert asyncio.run(main())._open == {}


async def fetched(requests):
    """Return the statuses of requests to one host, one after the other, and how many connections they took."""
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fetcher = Fetcher("test/1", CrawlLimits(), loopback_port=server.sockets[0].getsockname()[1])
    try:
        async with asyncio.timeout(20):
            found = [(await fetcher.fetch("http://a.example/", max_bytes=9)).status for _ in range(requests)]
    finally:
        await fetcher.close()
        server.close()
    return found, len(connections)


def run_short_of_files(monkeypatch, refusals):
    """Let the first `refusals` sockets be refused for want of file descriptors."""
    left = iter(range(refusals))

    def opened(*arguments):
        if next(left, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return socket.socket(*arguments)

    monkeypatch.setattr(connector, "SHORT_PAUSE_S", 0.01)
    monkeypatch.setattr(connector, "socket", SimpleNamespace(socket=opened))


def test_a_host_is_asked_again_on_the_same_connection():
    assert asyncio.run(fetched(5)) == ([200] * 5, 1)


def test_a_want_of_file_descriptors_is_waited_out(monkeypatch):
    run_short_of_files(monkeypatch, 3)
    assert asyncio.run(fetched(2))[0] == [200, 200]


def test_a_want_of_file_descriptors_that_lasts_is_no_failure_of_the_host(monkeypatch):
    run_short_of_files(monkeypatch, 1000)
    with pytest.raises(NoDescriptorsError, match="ulimit -n"):
        asyncio.run(fetched(1))


def test_few_file_descriptors_leave_room_for_few_idle_connections(monkeypatch):
    monkeypatch.setattr(connector, "open_file_limit", lambda: 64)

    async def most_idle():
        made = connector.GuardedConnector(Names(Lookup(["8.8.8.8"])))
        await made.close()
        return made._most_idle

    assert asyncio.run(most_idle()) == 8
