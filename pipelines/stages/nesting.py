"""An output must not lie where an input is read: the second run would read what the first has written."""

from manifests.store import Chosen, Store

# What an output holds, one name of each depth and suffix: a pattern that chooses one of them would read it.
WRITTEN = (
    "CURRENT",
    "text/plan.json",
    "text/data/part.parquet",
    "text/staged/key/part.arrow",
    "crawl/data/part.warc.gz",
    "report/page.html",
)


def refuse_nested(name: str, source: Store, out: str) -> None:
    """Raise a usage error where the input `name` holds, or its pattern would choose, what is written below `out`."""
    root = (source.store if isinstance(source, Chosen) else source).uri.rstrip("/")
    if not f"{out.rstrip('/')}/".startswith(f"{root}/"):
        return
    below = out.rstrip("/")[len(root) :].strip("/")
    written = [f"{below}/{each}" if below else each for each in WRITTEN]
    if isinstance(source, Chosen) and not any(map(source.chooses, written)):
        return
    error = ValueError(f"input {name}: the output {out} lies in the input {source.uri} and would be read; move either")
    error.is_usage = True  # type: ignore[attr-defined]
    raise error
