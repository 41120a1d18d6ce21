"""Texts made to be slow: the time grows as the text does."""

import time

import pyarrow as pa
import pytest

from filters.personal.find import find

TIMES = 4  # the longer text, in short ones
PIECES = [
    "@", "1", "a", "a@", "a@a.com", "4111 ", "+1 ", "(", "1-", ":", "1:", "1.", "GB82", "AC", "eyJ", "eyJa.", "BEGIN ",
    "-----BEGIN RSA PRIVATE KEY-----\n", "xoxb-1-", "://a:", "aws key ", "//a/:_authToken=", "PuTTY-User-Key-File-2:",
    "〒", "東京都", "市", "市1丁目", "０１", "が@", "03-1234-5678 ", "sk-T3BlbkFJ", "a@b.com.", "<", "٠١",
]  # fmt: skip


def spent_s(text):
    column = pa.array([text])
    start = time.process_time()
    find(column, languages=["ja"])
    return time.process_time() - start


@pytest.mark.long
@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_as_the_text_does(piece):
    short = piece * (100_000 // len(piece.encode()))
    spent_s(piece)
    few, many = spent_s(short), spent_s(short * TIMES)
    assert many <= 3 * TIMES * few + 0.3


@pytest.mark.parametrize("piece", ["@", "1", "0", "a"])
def test_ten_megabytes_of_one_character_take_less_than_a_second(piece):
    assert spent_s(piece * 10_000_000) < 1.0
