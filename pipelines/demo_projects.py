"""Pages of many projects for the demo, a host each: what several of them say is a fact, and one tells its history.

The manuals of some independent projects spell out the same abbreviations. The history of Debian is dated, in ten
languages. Each project's pages are responses of a host of its own, so each is a publisher of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pipelines.demo_input import FETCHED_AT, Package, Say, fetch_package, media_type_of
from pipelines.demo_media import Size
from pipelines.sources.warc_writer import Page, write_warc

PROJECTS = "projects"  # the input's name in recipes/demo.yaml
HISTORY = "debian-history"
HISTORY_LANGUAGES = ("de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru")
HISTORY_PAGES = ("detailed", "intro", "releases")
_LOCALES = ("en-US", "de-DE", "es-ES", "fr-FR", "ja-JP", "zh-CN")
PAGES = {  # package -> folder, pages without their ending: some that say what others say too
    "bind9-doc": ("usr/share/doc/bind9-doc/arm", ("chapter1", "general")),
    "cyrus-doc": ("usr/share/doc/cyrus-doc/html", ("readme", "install-configure")),
    "cyrus-sasl2-doc": ("usr/share/doc/cyrus-sasl2-doc/sasl", ("concepts",)),
    "exim4-doc-html": ("usr/share/doc/exim4-doc-html/spec_html", ("ch-dkim_spf_srs_and_dmarc",)),
    "ganeti-doc": ("usr/share/doc/ganeti/html", ("design-node-security", "design-x509-ca", "design-impexp2")),
    "git-doc": ("usr/share/doc/git-doc", ("git-bisect-lk2009", "git-fsmonitor--daemon")),
    "harden-doc": (
        "usr/share/doc/harden-doc/html",
        ("zh-CN/ch08s06", *(f"{locale}/{page}" for locale in _LOCALES for page in ("ch10s05", "vpn"))),
    ),
    "ntpsec-doc": ("usr/share/doc/ntpsec-doc/html", ("rollover", "access")),
    "openvswitch-doc": ("usr/share/doc/openvswitch-doc/html/ref", ("ovs-pki.8",)),
    "postfix-doc": ("usr/share/doc/postfix/html", ("smtp.8",)),
    "postgresql-doc-15": (
        "usr/share/doc/postgresql-doc-15/html",
        ("ssl-tcp", "glossary", "logfile-maintenance", "auth-pg-hba-conf", "kernel-resources"),
    ),
    "proftpd-doc": ("usr/share/doc/proftpd-doc", ("faq", "howto/Globbing")),
    "python-ldap-doc": ("usr/share/doc/python-ldap-doc/html/reference", ("ldap-sasl",)),
    "rsyslog-doc": ("usr/share/doc/rsyslog-doc/html", ("features",)),
    "varnish-doc": ("usr/share/doc/varnish/html/whats-new", ("changes-7.0",)),
}
SMALL_PAGES = ("intro", "releases")  # of the history, all that the small demo takes


def project_packages(size: Size, say: Say = lambda _: None) -> list[Package]:
    """Return the packages that the pages are in.

    Raises InputUnavailable where one can't be had.
    """
    return [fetch_package(name, say) for name in (HISTORY, *(() if size == "small" else PAGES))]


def write_projects(folder: Path, size: Size, packages: list[Package]) -> None:
    """Write the pages as one WARC file; what a later release of a package no longer has is left out."""
    info = (("software", "corpusmill"), ("format", "WARC File Format 1.1"))
    pages = (page for package in packages for page in _pages(package, size))
    write_warc(folder / "projects.warc.gz", FETCHED_AT, info, pages)


def _pages(package: Package, size: Size) -> Iterator[Page]:
    for path in _paths(package.name, size):
        file = package.root / path
        if file.is_file():
            payload = file.read_bytes()
            yield Page(f"https://{package.name}.example/{quote(path)}", payload, media_type_of(payload))


def _paths(name: str, size: Size) -> list[str]:
    """Return the files of a package that the demo takes."""
    if name != HISTORY:
        folder, pages = PAGES[name]
        return [f"{folder}/{page}.html" for page in pages]
    pages = SMALL_PAGES if size == "small" else HISTORY_PAGES
    return [f"usr/share/doc/{HISTORY}/docs/{page}.{each}.html" for page in pages for each in HISTORY_LANGUAGES]
