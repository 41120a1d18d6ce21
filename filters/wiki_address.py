"""Addresses of a wiki's pages."""

from urllib.parse import quote


def page_address(base: str, title: str) -> str:
    """Return a page's address: spaces as underscores, percent-encoded as MediaWiki's wfUrlencode does."""
    return base + quote(title.strip().replace(" ", "_"), safe="/:@!$*(),;~-._'")
