"""Words, rules and joins of interleaved documents, without a pipeline."""

import random
import re
from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.interleave.profiles import PROFILES
from filters.interleave.signals import part_signals
from filters.interleave.words import ADULT, DECORATION, adult_words, decoration_words, path_words
from filters.rules import judge
from manifests.keys import keys_of
from manifests.records import ID
from manifests.runs import sort_table
from pipelines.interleave.attach import documents_of_media
from pipelines.interleave.join import join
from pipelines.interleave.judge import same_images
from pipelines.interleave.read import ORDERS
from pipelines.interleave.records import ASKED, FOUND, HOP, IMAGE_SET, KNOWN


@pytest.mark.parametrize(
    ("alt", "count"),
    [
        pytest.param("Company logo", 1, id="English"),
        pytest.param("ICON and Button", 2, id="capitals"),
        pytest.param("iconic catalogue of biology", 0, id="a word that only holds one"),
        pytest.param("会社のロゴ", 1, id="Japanese"),
        pytest.param("トップページへ戻るボタン", 1, id="a Japanese word at the end of a sentence"),
        pytest.param("サイトロゴ", 1, id="a Japanese compound"),
        pytest.param("プロゴルフの選手", 0, id="professional golf is no logo"),
        pytest.param("州のガバナー", 0, id="a governor is no banner"),
        pytest.param("Xfce デスクトップ", 0, id="a Japanese screenshot"),
        pytest.param("公司徽标", 1, id="Chinese"),
        pytest.param("網站圖示", 1, id="traditional Chinese"),
        pytest.param("地图标注", 0, id="marks on a map are no icon"),
        pytest.param("标志性建筑", 0, id="a landmark"),
        pytest.param("로고는 여기", 1, id="Korean with a particle"),
        pytest.param("โลโก้บริษัท", 1, id="Thai"),
        pytest.param("شعار الشركة", 1, id="Arabic"),
        pytest.param("कंपनी का लोगो", 1, id="Hindi"),
        pytest.param("Логотип компании", 1, id="Russian"),
        pytest.param(None, 0, id="no alternative text"),
        pytest.param("", 0, id="an empty one"),
    ],
)
def test_words_of_decoration(alt, count):
    assert decoration_words(pa.array([alt, "log", alt], pa.string())).tolist() == [count, 0, count]


def test_adult_words_are_words():
    texts = ["Essex and Sussex", "sex", "エロ", "エロイカ", "色情", "Middlesex", "xxx"]
    assert adult_words(pa.array(texts)).tolist() == [0, 1, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("word", [word for words in (*DECORATION.values(), *ADULT.values()) for word in words])
def test_every_word_of_the_lists_is_found_alone_and_in_a_file_name(word):
    path = path_words(f"book:img/{word}_2x.png")
    found = [decoration_words(pa.array([text]))[0] + adult_words(pa.array([text]))[0] for text in (word, path)]
    assert found == [1, 1]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param("https://logo.example/img/mainLogo_2x.png?icon=1", "img main Logo x", id="a URL's path alone"),
        pytest.param("https://a.example/%E3%83%AD%E3%82%B4.png", "ロゴ", id="escaped Japanese"),
        pytest.param("book:लोगो-1.png", "लोगो", id="marks stay with their letters"),
        pytest.param("ni:///sha-256;logo", "", id="bytes have no words"),
    ],
)
def test_words_of_a_path(address, words):
    assert path_words(address) == words


@given(st.text(), st.text())
def test_a_second_line_takes_no_word_away(first, second):
    counts = decoration_words(pa.array([first, second, f"{first}\n{second}"])).tolist()
    assert counts[2] >= max(counts[:2]) if "\n" not in first + second else True


def test_repeats_in_a_document_are_counted_from_nought():
    rows = [(1, 5), (1, 6), (1, 5), (2, 5), (1, 5)]
    table = pa.table(
        {
            "id": ids(a for a, _ in rows),
            "media": ids(b for _, b in rows),
            "address": ["book:x.png"] * 5,
            "alt": pa.nulls(5, pa.string()),
        }
    )
    assert part_signals(table)["earlier_in_document_count"].to_pylist() == [0, 0, 1, 0, 2]


def ids(numbers):
    return pa.array([number.to_bytes(16) for number in numbers], ID)


# What an image and a document of a common page measure, and the bounds of each rule from the papers and repositories.
IMAGE = {
    "is_web_format": 1,
    "long_side_px": 180,
    "short_side_px": 150,
    "color_range": 9,
    "occurrence_count": 1,
    "nsfw_score": 0.0,
    "aesthetic_score": 5.0,
    "image_text_similarity": 0.3,
    "path_decoration_word_count": 0,
    "alt_decoration_word_count": 0,
    "path_adult_word_count": 0,
    "alt_adult_word_count": 0,
    "earlier_in_document_count": 0,
}
DOCUMENT = {"largest_nsfw_score": 0.0, "image_count": 1, "word_count": 100, "language_score": 1.0}


@pytest.mark.parametrize(
    ("profile", "signal", "stays", "goes"),
    [
        ("obelics_v1", "occurrence_count", 10, 11),
        ("obelics_v1", "short_side_px", 150, 149),
        ("obelics_v1", "path_decoration_word_count", 0, 1),
        ("obelics_v1", "alt_adult_word_count", 0, 1),
        ("obelics_v1", "earlier_in_document_count", 0, 1),
        ("mmc4_v1", "nsfw_score", 0.1, 0.11),
        ("mmc4_v1", "is_web_format", 1, 0),
        ("mmc4_v1", "alt_decoration_word_count", 0, 1),
        ("omnicorpus_v1", "nsfw_score", 0.8, 0.81),
        ("omnicorpus_v1", "aesthetic_score", 3.7, 3.69),
        ("omnicorpus_v1", "occurrence_count", 10, 11),
        ("m3w_v1", "short_side_px", 64, 63),
        ("m3w_v1", "color_range", 1, 0),
    ],
)
def test_bounds_of_images(profile, signal, stays, goes):
    assert dropped(PROFILES[profile].images, IMAGE | {signal: stays}) is None
    assert signal in dropped(PROFILES[profile].images, IMAGE | {signal: goes})


@pytest.mark.parametrize(
    ("profile", "language", "signal", "stays", "goes"),
    [
        ("obelics_v1", "en", "image_count", 30, 31),
        ("obelics_v1", "en", "image_count", 1, 0),
        ("obelics_v1", "en", "largest_nsfw_score", 0.85, 0.86),
        ("obelics_v1", "en", "word_count", 2000, 2001),
        ("obelics_v1", "ja", "word_count", 2400, 2401),
        ("obelics_v1", "ko", "word_count", 8, 7),
        ("obelics_v1", "th", "language_score", 0.8, 0.79),
        ("mmc4_v1", "en", "image_count", 1, 0),
        ("omnicorpus_v1", "zh", "image_count", 1, 0),
        ("m3w_v1", "en", "image_count", 1, 0),
    ],
)
def test_bounds_of_documents(profile, language, signal, stays, goes):
    assert dropped(PROFILES[profile].documents, DOCUMENT | {signal: stays}, language) is None
    assert dropped(PROFILES[profile].documents, DOCUMENT | {signal: goes}, language) == f"{profile}/{signal}"


def dropped(rules, signals, language="en"):
    batch = pa.record_batch({name: pa.array([value]) for name, value in signals.items()})
    first = judge(rules, batch, pa.array([language])).first[0]
    return rules[first].name if first >= 0 else None


def known(*rows):
    """Rows (address, rank, media or None, reason)."""
    addresses = [address for address, *_ in rows]
    media = pa.array([media and media.to_bytes(16) for _, _, media, _ in rows], ID)
    given = {
        "key": keyed(addresses),
        "address": addresses,
        "kind": pa.array(["image"] * len(rows), pa.string()),
        "rank": pa.array([rank for _, rank, *_ in rows], pa.int8()),
        "file": media,
        "media": media,
        "reason": pa.array([reason for *_, reason in rows], pa.string()),
    }
    spans = {name: pa.nulls(len(rows), pa.float64()) for name in ("start_s", "end_s")}
    return sort_table(pa.table({**given, **spans}, schema=KNOWN), ORDERS["known"])


def asked(*rows):
    """Rows (address, document)."""
    addresses = [address for address, _ in rows]
    count = len(rows)
    given = {"key": keyed(addresses), "address": addresses, "id": ids(document for _, document in rows)}
    more = {"position": range(count), "kind": ["image"] * count, "uri": addresses, "alt": [None] * count}
    return pa.table({**given, **more}, schema=ASKED)


def keyed(addresses):
    return pa.array([int(re.sub(r"\D", "", address) or 0) // 3 for address in addresses], pa.uint64())


def test_what_stays_counts_before_what_went_at_the_same_address():
    there = known(
        ("a1", 4, None, "quarantined/image_truncated"),
        ("a1", 1, 7, None),
        ("a2", 3, None, "refused/noai"),
        ("a2", 2, None, "dropped/m3w_v1/short_side_px<64"),
        ("a3", 0, 9, None),
        ("a3", 0, 8, None),
    )
    joined = join(asked(("a1", 1), ("a2", 1), ("a3", 1), ("a4", 1)), there, HOP.empty_table())
    assert [int.from_bytes(each) for each in joined.found["media"].to_pylist()] == [7, 8]
    assert joined.lost["reason"].to_pylist() == ["dropped/m3w_v1/short_side_px<64", "no_such_media"]


@pytest.mark.parametrize(("parts", "records"), [(0, 0), (0, 9), (9, 0), (200, 1), (300, 300)])
def test_a_join_is_what_a_dictionary_gives(parts, records):
    rng = random.Random(parts + records)
    wanted = [(f"a{rng.randrange(60)}", rng.randrange(9)) for _ in range(parts)]
    there = [
        (f"a{rng.randrange(60)}", rank, media if rank < 2 else None, None if rank < 2 else f"why {media}")
        for rank, media in ((rng.randrange(5), n + 1) for n in range(records))
    ]
    best = {}
    for address, rank, media, reason in sorted(there, key=lambda row: (row[1], row[2] or 0)):
        best.setdefault(address, (rank, media, reason))
    found, _, lost, _ = join(asked(*wanted), known(*there), HOP.empty_table())
    assert found.num_rows + lost.num_rows == parts
    for row in found.to_pylist():
        assert int.from_bytes(row["media"]) == best[row["address"]][1]
    for row in lost.to_pylist():
        assert row["reason"].startswith("no_such_media" if row["uri"] not in best else "why")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_documents_of_media_are_counted_once_each(pairs):
    pairs = sorted(pairs)
    count = len(pairs)
    table = pa.table(
        {
            "key": pa.array(keys_of(ids(media for media, _ in pairs)), pa.uint64()) if count else [],
            "media": ids(media for media, _ in pairs),
            "address": ["x"] * count,
            "id": ids(document for _, document in pairs),
            **{
                name: pa.nulls(count, FOUND.field(name).type)
                for name in ("position", "kind", "uri", "alt", "start_s", "end_s")
            },
        },
        schema=FOUND,
    )
    oracle = defaultdict(set)
    for media, document in pairs:
        oracle[media].add(document)
    assert documents_of_media(table).tolist() == [len(oracle[media]) for media, _ in pairs]


def test_the_longest_of_one_set_of_images_stays():
    rows = [(5, 1, 10), (5, 2, 30), (5, 3, 30), (6, 4, 1)]
    table = pa.table(
        {
            "key": [images for images, *_ in rows],
            "images": ids(images for images, *_ in rows),
            "id": ids(document for _, document, _ in rows),
            "rank": [rank for *_, rank in rows],
        },
        schema=IMAGE_SET,
    )
    merged = [(int.from_bytes(row["id"]), int.from_bytes(row["kept_id"])) for row in same_images(table).to_pylist()]
    assert sorted(merged) == [(1, 2), (3, 2)]
