"""Japanese addresses: a postal code with its mark, a prefecture or city with a block and house number.

  〒100-0013 東京都千代田区霞が関1-2-3     code and what follows it, to the house number
  東京都千代田区霞が関一丁目2番3号          a prefecture, a municipality, a house number
  横浜市西区みなとみらい2丁目3番地           a municipality, with 丁目, 番地 or 番 ... 号

A prefecture or town alone names no home, and stays. The detail is "postal-code" or "address".
"""

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from filters.personal.places import Batch, Found, places_of

PREFECTURES = """北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 東京都 神奈川県
新潟県 富山県 石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県
鳥取県 島根県 岡山県 広島県 山口県 徳島県 香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県
沖縄県""".split()  # noqa: SIM905

_DIGITS, _DASH = "[0-9０-９]", "[-－‐‑–—−ーの]"
_KANJI_NUMBER = "[0-9０-９一二三四五六七八九十百]"
_NAME = "[々〆ヶケヵ぀-ゟァ-ヴㇰ-ㇿ一-鿿豈-﫿]"
_CODE = rf"{_DIGITS}{{3}}[-－‐‑–—−ー]?{_DIGITS}{{4}}(?!{_DIGITS})"
_PREFECTURE = "(?:" + "|".join(PREFECTURES) + ")"
_GAP = "[ 　]?"
_TOWN = rf"(?:{_NAME}{{1,7}}?[市区町村郡]{_GAP}){{1,3}}"
_NUMBER = rf"{_DIGITS}{{1,5}}"
# 2丁目3番地, 2丁目3-4, 2丁目3番4号, 2丁目
_AFTER_BLOCK = rf"(?:{_NUMBER}(?:番地?|{_DASH}{_DIGITS}{{1,4}}|号){_GAP}(?:{_DIGITS}{{1,4}}号?)?|{_DIGITS}{{1,4}})?"
_BLOCKS = rf"{_KANJI_NUMBER}{{1,3}}丁目{_GAP}{_AFTER_BLOCK}"
_PLOT = rf"{_KANJI_NUMBER}{{1,5}}番地?{_GAP}(?:の?{_KANJI_NUMBER}{{1,4}}号?)?"
_HOUSE = rf"(?:{_BLOCKS}|{_PLOT}|{_NUMBER}(?:{_DASH}{_NUMBER}){{1,3}})"
_NOT_MORE = rf"(?!{_DIGITS}|[-－]{_DIGITS}|[年月日時円人件歳%％])"
_MARKED_PLOT = (
    rf"{_KANJI_NUMBER}{{1,5}}番地(?:の?{_KANJI_NUMBER}{{1,4}})?|{_KANJI_NUMBER}{{1,4}}番{_KANJI_NUMBER}{{1,4}}号"
)
_MARKED_HOUSE = rf"(?:{_BLOCKS}|{_MARKED_PLOT})"
_STREET = rf"{_NAME}{{0,12}}?{_GAP}"

POSTAL = re.compile(
    rf"〒{_GAP}{_CODE}(?P<address>[ 　\n]?(?:{_PREFECTURE}{_GAP})?{_TOWN}{_STREET}{_HOUSE}{_NOT_MORE})?"
)
ADDRESS = re.compile(rf"{_PREFECTURE}{_GAP}{_TOWN}{_STREET}{_HOUSE}{_NOT_MORE}")
TOWN = re.compile(
    rf"(?:[一-鿿ァ-ヴー々ヶケぁ-ん]{{1,6}}?[市郡区]){{1,2}}(?:{_NAME}{{1,6}}[区町村])?{_STREET}{_MARKED_HOUSE}{_NOT_MORE}"
)
_LOOK_BYTES, _LOOK_BACK_BYTES = 240, 90
_CODE_BEFORE = re.compile(rf"(?<![0-9０-９-]){_CODE}{_GAP}\Z")
_APART = re.compile(r"[\s、。「」()（）・:：<>]")
_NAMES = frozenset(PREFECTURES)


def _marks(batch: Batch, characters: str) -> npt.NDArray[np.int64]:
    """Return where the characters of three bytes start, ascending."""
    encoded = [character.encode() for character in characters]
    ends = places_of(batch, {code[2] for code in encoded})
    ends = ends[ends >= int(batch.offsets[0]) + 2]
    codes = batch.body[ends - 2].astype(np.int64) << 16 | batch.body[ends - 1].astype(np.int64) << 8 | batch.body[ends]
    wanted = [int.from_bytes(code, "big") for code in encoded]
    return (ends - 2)[np.isin(codes, wanted)]


def find_addresses(batch: Batch) -> Iterator[Found]:
    """Yield the Japanese addresses and postal codes of a batch."""
    yield from _postal(batch)
    yield from _of_prefectures(batch)
    yield from _of_towns(batch)


def _windows(batch: Batch, characters: str) -> Iterator[tuple[int, int, int]]:
    """Yield (mark, first and last byte of its text) for each of the characters."""
    marks = _marks(batch, characters)
    rows = batch.rows_of(marks)
    offsets = np.asarray(batch.offsets)
    yield from zip(marks.tolist(), offsets[rows].tolist(), offsets[rows + 1].tolist(), strict=True)


def _cut(batch: Batch, start: int, end: int) -> str:
    """Return the text between two places; a character that is cut goes."""
    return bytes(batch.body[start:end]).decode(errors="ignore")


def _postal(batch: Batch) -> Iterator[Found]:
    for start, _, last in _windows(batch, "〒"):
        if match := POSTAL.match(_cut(batch, start, min(last, start + _LOOK_BYTES))):
            detail = "address" if match["address"] else "postal-code"
            yield Found(start, start + len(match.group().encode()), detail)


def _of_prefectures(batch: Batch) -> Iterator[Found]:
    for mark, first, last in _windows(batch, "都道府県"):
        lead = _cut(batch, max(first, mark - 9), mark + 3)
        name = next((name for name in (lead[-3:], lead[-4:]) if name in _NAMES), None)
        if name is None:
            continue
        start = mark + 3 - len(name.encode())
        if match := ADDRESS.match(_cut(batch, start, min(last, start + _LOOK_BYTES))):
            code = _CODE_BEFORE.search(_cut(batch, max(first, start - 40), start))
            begin = start - (len(code.group().encode()) if code else 0)
            yield Found(begin, start + len(match.group().encode()), "address")


def _of_towns(batch: Batch) -> Iterator[Found]:
    for mark, first, last in _windows(batch, "丁番"):
        lead = _cut(batch, max(first, mark - _LOOK_BACK_BYTES), mark)
        if not any(sign in lead for sign in "市区郡"):
            continue
        lead = _APART.split(lead)[-1]
        start = mark - len(lead.encode())
        match = TOWN.search(_cut(batch, start, min(last, start + _LOOK_BYTES)))
        if match and match.start() < len(lead):
            begin = start + len(match.string[: match.start()].encode())
            yield Found(begin, begin + len(match.group().encode()), "address")
