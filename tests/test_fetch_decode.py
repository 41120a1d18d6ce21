"""Content codings: what went in comes out; what is cut, damaged or a bomb is said to be."""

import gzip
import random
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from manifests.limits import KIB, MIB, CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.fetch.decode import DecodeError, decode

LIMITS = CrawlLimits()


def raw_deflate(data):
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(data) + coder.flush()


CODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=1),
    "zstd": zstandard.compress,
}
WHOLE = {**CODERS, "deflate (raw)": raw_deflate}
noise = random.Random(7).randbytes(300 * KIB)
contents = st.one_of(st.binary(max_size=300), st.sampled_from([noise, b"a" * MIB, noise[:1000] * 90, b"", b"\x1f\x8b"]))


def undo(body, coding, max_bytes=8 * MIB, **more):
    return decode(body, coding.removesuffix(" (raw)"), max_bytes=max_bytes, limits=LIMITS, **more)


@given(st.sampled_from(sorted(WHOLE)), contents)
def test_what_was_coded_comes_back(coding, content):
    assert undo(WHOLE[coding](content), coding) == (content, False)


@given(st.sampled_from(sorted(CODERS)), st.sampled_from(sorted(CODERS)), contents)
def test_two_codings_are_undone_in_reverse_order(first, second, content):
    body = CODERS[second](CODERS[first](content))
    assert undo(body, f"{first}, {second}") == (content, False)


@given(st.sampled_from(sorted(WHOLE)), contents, st.integers(0, 400 * KIB))
def test_no_more_comes_than_the_cap(coding, content, cap):
    assert undo(WHOLE[coding](content), coding, cap) == (content[:cap], len(content) > cap)


@given(st.sampled_from(sorted(CODERS)), st.sampled_from([noise, noise[:1000] * 90]), st.floats(0.05, 0.99))
def test_the_beginning_of_a_cut_body_is_the_beginning_of_its_content(coding, content, share):
    body = CODERS[coding](content)
    payload, cut = undo(body[: int(len(body) * share)], coding, partial=True)
    assert content.startswith(payload) and cut
    if coding != "br" and content is noise:
        assert len(payload) > len(content) * share * 0.5 - 200 * KIB


@pytest.mark.parametrize("coding", sorted(CODERS))
@pytest.mark.parametrize("content", [pytest.param(noise, id="noise"), pytest.param(b"text " * 9000, id="text")])
def test_a_whole_response_whose_coding_ends_early_is_damaged(coding, content):
    body = CODERS[coding](content)
    for length in (len(body) // 2, len(body) - 1):
        with pytest.raises(DecodeError) as caught:
            undo(body[:length], coding)
        assert caught.value.reason is FetchFailed.DAMAGED_CODING


@given(st.sampled_from(sorted(CODERS)), st.binary(min_size=1), st.integers(0, 40), st.booleans())
def test_whatever_the_bytes_are_it_ends_in_a_payload_or_a_reason(coding, tail, kept, partial):
    body = CODERS[coding](b"some text " * 50)[:kept] + tail
    try:
        assert isinstance(undo(body, coding, partial=partial).payload, bytes)
    except DecodeError as error:
        assert error.reason in FetchFailed


@pytest.mark.parametrize(
    ("coding", "body", "payload"),
    [
        pytest.param("gzip", b"<html>", b"<html>", id="a body that its server did not code after all"),
        pytest.param("identity", b"text", b"text", id="identity codes nothing"),
        pytest.param("utf-8", b"text", b"text", id="what is no coding codes nothing"),
        pytest.param("GZip", gzip.compress(b"text"), b"text", id="names have no case"),
        pytest.param("gzip,", gzip.compress(b"text"), b"text", id="an empty list element"),
        pytest.param("gzip", gzip.compress(b"a") + gzip.compress(b"b"), b"ab", id="two members"),
        pytest.param("gzip", gzip.compress(b"a") + b"\0" * 9, b"a", id="padding behind the member"),
        pytest.param("zstd", zstandard.compress(b"a") + zstandard.compress(b"b"), b"ab", id="two frames"),
        pytest.param("br", b" <p>text</p>", b" <p>text</p>", id="mark-up said to be br"),
        pytest.param("gzip", b"", b"", id="an empty body"),
        pytest.param("br", b"", b"", id="an empty body, said to be br"),
    ],
)
def test_oddities_of_real_servers(coding, body, payload):
    assert undo(body, coding) == (payload, False)


@pytest.mark.parametrize("size", [MIB, 16 * MIB])
def test_members_that_straddle_what_is_fed_at_once(size):
    members = b"".join(gzip.compress(noise[at : at + 7000]) for at in range(0, len(noise), 7000))
    assert undo(members, "gzip", size) == (noise, False)


def test_a_third_coding_is_refused():
    with pytest.raises(DecodeError, match="max_codings") as caught:
        undo(gzip.compress(b"a"), "gzip, br, zstd")
    assert caught.value.reason is FetchFailed.TOO_MANY_CODINGS


@pytest.mark.parametrize("coding", sorted(CODERS))
def test_a_ratio_beyond_the_limit_is_a_bomb(coding):
    with pytest.raises(DecodeError, match="max_coding_ratio") as caught:
        undo(CODERS[coding](bytes(64 * MIB)), coding, 64 * MIB)
    assert caught.value.reason is FetchFailed.DECODED_TOO_LARGE


@pytest.mark.parametrize("coding", sorted(CODERS))
def test_below_a_mebibyte_no_ratio_is_a_bomb(coding):
    assert undo(CODERS[coding](bytes(MIB)), coding) == (bytes(MIB), False)


def test_a_layer_that_swells_is_a_bomb_even_if_the_next_swallows_it():
    """Its first member is empty; behind it lie megabytes of others that must not be inflated to the end."""
    with pytest.raises(DecodeError, match=r"max_coding_ratio|members"):
        undo(gzip.compress(b"".join([gzip.compress(b"", mtime=0)] * 400_000)), "gzip, gzip")


def test_a_layer_larger_than_the_cap_is_a_bomb_though_its_ratio_is_honest():
    inner = gzip.compress(b"", mtime=0)[:10] + b"\x00\x00\x00\xff\xff" * MIB  # stored blocks with nothing in them
    with pytest.raises(DecodeError) as caught:
        undo(gzip.compress(inner, 0), "gzip, gzip", MIB)
    assert caught.value.reason is FetchFailed.DECODED_TOO_LARGE


@pytest.mark.parametrize(
    ("coding", "empty"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstandard.compress(b""))]
)
def test_members_without_end_are_a_bomb_though_nothing_is_in_them(coding, empty):
    assert undo(empty * 60_000, coding) == (b"", False)
    with pytest.raises(DecodeError, match="members"):
        undo(empty * 70_000, coding)


def test_a_zstd_window_beyond_http_s_limit_is_refused():
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    coder = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = coder.compress(noise) + coder.flush()
    with pytest.raises(DecodeError):
        undo(body, "zstd")
