"""Open files: a crawl of many hosts needs many sockets, and a want of them is never a host's fault."""

import errno
import resource

ENOUGH = 65_536  # open files; some systems call their limit unlimited and refuse it
_SHORT = (errno.EMFILE, errno.ENFILE)


class NoDescriptorsError(RuntimeError):
    """This process or machine may open no more files; the crawl ends, and goes on later."""

    def __init__(self) -> None:
        super().__init__(
            f"too many open files (this process may open {open_file_limit():,}): raise the limit (`ulimit -n`) or "
            "lower crawl.connections, and run the same command again; it goes on from what is done"
        )


def open_file_limit() -> int:
    """Return how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else soft


def raise_open_file_limit() -> int:
    """Raise what the process may open to what it is permitted to allow itself, and return that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, max(soft, ENOUGH))
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):  # a system with another limit below this one
            return soft
    return open_file_limit()


def is_shortage(error: BaseException | None) -> bool:
    """Return whether the error, or one that it was made of, says that no more files may be opened."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _SHORT:
            return True
        error = getattr(error, "os_error", None) or error.__cause__
    return False
