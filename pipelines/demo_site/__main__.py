"""Serve the demo's site: `python -m pipelines.demo_site [--port N] [--full] [--log FILE] [--max-s SECONDS]`."""

import argparse
import asyncio
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from pipelines.demo_input import InputUnavailable
from pipelines.demo_site.server import LOOPBACK, serve
from pipelines.demo_site.site import Site, demo_site


def main() -> int:
    """Print the port in a line of its own, then serve until standard input closes or the time is over."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.demo_site", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of loopback; 0 takes a free one")
    parser.add_argument("--full", action="store_true", help="all pages of the packages, not about 360")
    parser.add_argument("--log", help="a file that gets a line for each request, when it is answered")
    parser.add_argument("--max-s", type=float, default=3600.0, help="it ends by itself after so many seconds")
    chosen = parser.parse_args()
    try:
        site = demo_site(chosen.full)
    except InputUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    asyncio.run(_serve(site, chosen.port, chosen.log, chosen.max_s))
    return 0


async def _serve(site: Site, port: int, log: str | None, max_s: float) -> None:
    with ExitStack() as stack:
        lines = stack.enter_context(Path(log).open("a", buffering=1, encoding="utf-8")) if log else None
        server = await serve(site.respond, port, lines)
        print(server.sockets[0].getsockname()[1], flush=True)
        closed = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _look, closed)
        try:
            await asyncio.wait_for(closed.wait(), max_s)
        except TimeoutError:
            print(f"{LOOPBACK}: {max_s} s are over", file=sys.stderr)
        server.close()


def _look(closed: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        closed.set()


if __name__ == "__main__":
    sys.exit(main())
