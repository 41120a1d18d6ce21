"""Finding personal data: what is found, what is left, and where exactly."""

import unicodedata

import corpora
import pyarrow as pa
import pytest
import real_texts

from filters.personal.find import find, settle
from filters.personal.style import CLASSES

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq\nAAAAB3NzaC1yc2E=\n-----END RSA PRIVATE KEY-----"


def found(text, language=None, classes=CLASSES):
    """Return [(class, string)] of a text, cut out by the offsets."""
    spans = find(pa.array([text], pa.string()), classes, [language]).to_pylist()
    return [(span["class"], text.encode()[span["start"] : span["end"]].decode()) for span in spans]


@pytest.mark.parametrize(
    ("language", "text", "name", "said"),
    [
        pytest.param(
            "en", "Mail jo.o'brien+x@sub.example.co.uk.", "email", "jo.o'brien+x@sub.example.co.uk", id="e-mail"
        ),
        pytest.param("en", "mailto:a_b@example.org?subject=x", "email", "a_b@example.org", id="a link to mail"),
        pytest.param("en", "to=ann@example.org", "email", "ann@example.org", id="a parameter's name is no name"),
        pytest.param("en", "x bounce+ann=a.org@l.com", "email", "bounce+ann=a.org@l.com", id="a bounce address whole"),
        pytest.param("en", "root@[93.184.216.34] sent", "email", "root@[93.184.216.34]", id="an address literal"),
        pytest.param("ja", "連絡先はtaro@example.jpまで。", "email", "taro@example.jp", id="Latin among Japanese"),
        pytest.param("ja", "宛先：user＠例え.jpへ", "email", "user＠例え.jp", id="full-width at, Japanese domain"),
        pytest.param("ja", "user＠ｅxample．jp", "email", "user＠ｅxample．jp", id="full-width dot"),
        pytest.param("ru", "Пишите: иван@почта.рф, спасибо", "email", "иван@почта.рф", id="Cyrillic all through"),
        pytest.param("hi", "मेल डाटा@उदाहरण.भारत करें", "email", "डाटा@उदाहरण.भारत", id="Hindi with vowel signs"),
        pytest.param("th", "อีเมลsomchai@example.co.thครับ", "email", "somchai@example.co.th", id="Latin among Thai"),
        pytest.param("ko", "문의 kim@example.kr로", "email", "kim@example.kr", id="a Korean particle follows"),
        pytest.param("en", "call (212) 555-0123 today", "phone", "(212) 555-0123", id="area code in brackets"),
        pytest.param("en", "(call 212-555-0123)", "phone", "212-555-0123", id="brackets around all of it"),
        pytest.param(None, "or +44 20 7946 0958.", "phone", "+44 20 7946 0958", id="with country, language unknown"),
        pytest.param("ja", "電話03-1234-5678です", "phone", "03-1234-5678", id="Tokyo"),
        pytest.param(
            "ja", "携帯 ０９０－１２３４－５６７８", "phone", "０９０－１２３４－５６７８", id="full-width digits"
        ),
        pytest.param("ja", "TEL:0312345678", "phone", "0312345678", id="in one piece, after its word"),
        pytest.param("ja", "０３（１２３４）５６７８", "phone", "０３（１２３４）５６７８", id="full-width brackets"),
        pytest.param("zh", "手机 138 1234 5678", "phone", "138 1234 5678", id="a Chinese mobile"),
        pytest.param("ko", "전화 010-1234-5678로", "phone", "010-1234-5678", id="a Korean mobile"),
        pytest.param("fr", "Tél. 01 23 45 67 89", "phone", "01 23 45 67 89", id="a French number"),
        pytest.param("ar", "هاتف: ٠٥٠ ١٢٣ ٤٥٦٧", "phone", "٠٥٠ ١٢٣ ٤٥٦٧", id="Arabic-Indic digits"),
        pytest.param("hi", "फ़ोन: ०७४१०४१०१२३", "phone", "०७४१०४१०१२३", id="Devanagari digits"),
        pytest.param("en", "from 93.184.216.34 at", "ip", "93.184.216.34", id="public IPv4"),
        pytest.param("en", "DNS server 8.8.8.8", "ip", "8.8.8.8", id="small numbers after their word"),
        pytest.param("en", "ping 2001:4860:4860::8888.", "ip", "2001:4860:4860::8888", id="public IPv6"),
        pytest.param("en", "pay 4111 1111 1111 1111 now", "card", "4111 1111 1111 1111", id="card in fours"),
        pytest.param("ja", "カード番号378282246310005", "card", "378282246310005", id="card in one piece"),
        pytest.param("en", "IBAN GB82 WEST 1234 5698 7654 32.", "iban", "GB82 WEST 1234 5698 7654 32", id="IBAN"),
        pytest.param("de", "DE89370400440532013000", "iban", "DE89370400440532013000", id="IBAN in one piece"),
        pytest.param("ja", "個人番号 1234 5678 9018", "national_id", "1234 5678 9018", id="My Number after its name"),
        pytest.param("en", "SSN: 219-09-9998", "national_id", "219-09-9998", id="social security number"),
        pytest.param(
            "zh", "身份证11010519491231002X。", "national_id", "11010519491231002X", id="Chinese, check letter X"
        ),
        pytest.param("ko", "주민 900101-1234568", "national_id", "900101-1234568", id="Korean with its check digit"),
        pytest.param("es", "DNI 12345678Z", "national_id", "12345678Z", id="Spanish"),
        pytest.param("es", "NIE X-1234567-L.", "national_id", "X-1234567-L", id="Spanish, for foreigners"),
        pytest.param("fr", "n° 2 55 08 14 168 025 38", "national_id", "2 55 08 14 168 025 38", id="French"),
        pytest.param("pt", "CPF 529.982.247-25", "national_id", "529.982.247-25", id="Brazilian"),
        pytest.param("hi", "आधार 2341 2341 2346", "national_id", "2341 2341 2346", id="Aadhaar after its name"),
        pytest.param("ja", "〒100-0013 へ", "address", "〒100-0013", id="postal code with its mark"),
        pytest.param(
            "ja", "住所：東京都千代田区霞が関1-2-3です", "address", "東京都千代田区霞が関1-2-3", id="to the house"
        ),
        pytest.param(
            "ja", "大阪府大阪市北区梅田三丁目1番3号", "address", "大阪府大阪市北区梅田三丁目1番3号", id="chome"
        ),
        pytest.param(
            "ja", "横浜市西区みなとみらい2丁目3番地", "address", "横浜市西区みなとみらい2丁目3番地", id="a town's"
        ),
        pytest.param(
            "ja", "京都府京都市中京区１２３番地", "address", "京都府京都市中京区１２３番地", id="full-width plot"
        ),
        pytest.param("en", f"x\n{KEY}\ny", "secret", KEY, id="a private key to its last line"),
        pytest.param("en", "id AKIAIOSFODNN7EXAMPLE,", "secret", "AKIAIOSFODNN7EXAMPLE", id="key id of AWS"),
        pytest.param("en", f"t=ghp_{'a1B2' * 9};", "secret", f"ghp_{'a1B2' * 9}", id="token of GitHub"),
        pytest.param("en", "xoxb-123-456-abcDEF ", "secret", "xoxb-123-456-abcDEF", id="token of Slack"),
        pytest.param("en", f"key AIza{'Sy0_-' * 7}.", "secret", f"AIza{'Sy0_-' * 7}", id="key of Google"),
        pytest.param("en", "https://ann:hunter2@host.com/", "secret", "hunter2", id="a password inside a URL"),
        pytest.param(
            "en", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.sig x", "secret", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.sig", id="JWT"
        ),
    ],
)
def test_found_to_the_byte(language, text, name, said):
    assert (name, said) in found(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        pytest.param("en", "It costs $1,234,567.89 or 1 234 567 EUR.", id="prices"),
        pytest.param("ja", "価格は1,234,567円、税込み12345678円です。", id="Japanese prices"),
        pytest.param("fr", "900 000 000 € et 912 345 678 habitants", id="thousands with spaces"),
        pytest.param("es", "unas 912 345 678 €", id="an amount in the groups of a Spanish number"),
        pytest.param("en", "version 2.14.0.7, Chrome/91.0.4472.124, pkg-31.2.3.4-5, v81.2.3.4", id="versions"),
        pytest.param("en", "see 14.3.4.2 and 6.3.1.5.1", id="section numbers"),
        pytest.param("en", "ISBN 978-3-16-148410-0, ISBN 0-306-40615-2, ISSN 2049-3630", id="book and serial numbers"),
        pytest.param("en", "2023-01-02 12:34:56, 1999/12/31, 20230102123456, 01.02.2023", id="dates and times"),
        pytest.param("ja", "2023年12月31日 1914-1918 平成30年", id="Japanese dates"),
        pytest.param("en", "1,5551234567,5559876543,2125550123\n2,5551234568,0,1", id="numbers of a table"),
        pytest.param("en", "d41d8cd98f00b204e9800998ecf8427e 550e8400-e29b-41d4-a716-446655440000", id="digests"),
        pytest.param(
            "en", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", id="a long digest"
        ),
        pytest.param("en", "std::vector<int> a::b; x = y::z::w; 12:34:56:78", id="source code with colons"),
        pytest.param("en", "@decorator\ndef f(x): return $@ % x  # user@host", id="source code with at signs"),
        pytest.param("en", "npm i left-pad@1.3.0 logo@2x.png", id="a version and a file after an at sign"),
        pytest.param(
            "en", "192.168.0.1 10.0.0.1 127.0.0.1 192.0.2.1 198.51.100.7 2001:db8::1 fe80::1 ::1", id="nobody's"
        ),
        pytest.param("en", "224.0.0.1 255.255.255.0 300.1.2.3 01.02.03.04", id="masks, groups, no addresses"),
        pytest.param("en", "4111 1111 1111 1112 and 1234567812345678", id="digits that fail Luhn or name no network"),
        pytest.param("en", "https://x.com/status/4111111111111111", id="a number of a path"),
        pytest.param("en", "GB83 WEST 1234 5698 7654 32", id="an IBAN that fails"),
        pytest.param("en", "part 123-45-6788, 1234 5678 9018", id="short national numbers without their word"),
        pytest.param("en", "0.1234567890123 3.14159265358979 1e-10", id="fractions"),
        pytest.param(
            "ja", "東京都に住む。千代田区の区役所。商品は3番目。1丁目のたばこ屋", id="places that are no address"
        ),
        pytest.param("ja", "製品番号 123-4567 の部品", id="a postal code's form without its mark"),
        pytest.param("en", "user at example dot com", id="a disguised e-mail"),
        pytest.param("en", "AKIA is a prefix, ghp_short, sk_live_, eyJ.eyJ.x, BEGIN PUBLIC KEY", id="prefixes alone"),
        pytest.param("th", "พ.ศ. ๒๕๖๖ ราคา ๑,๒๓๔,๕๖๗ บาท", id="Thai digits of a price"),
        pytest.param("ru", "Цена 1 234 567 руб., статья 12.34.56.78-90", id="Russian prices and articles"),
        pytest.param("ar", "السعر ١٬٢٣٤٬٥٦٧ ريال في ٢٠٢٣/١٢/٣١", id="Arabic prices and dates"),
    ],
)
def test_left_alone(language, text):
    assert found(text, language) == []


def test_masks_of_overlapping_claims_do_not_overlap_and_the_first_class_wins():
    assert settle([(0, 5, 1, "a"), (3, 9, 0, "b"), (8, 12, 1, "c"), (12, 14, 7, "d")]) == [
        (3, 9, 0, "b"),
        (12, 14, 7, "d"),
    ]
    assert settle([(0, 9, 2, "long"), (0, 4, 2, "short"), (5, 8, 3, "in")]) == [(0, 9, 2, "long")]


def test_a_password_in_a_url_wins_over_the_address_it_ends_in():
    assert found("ftp://ann:pa.ss@example.com/x") == [("secret", "pa.ss")]


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC"])
@pytest.mark.parametrize("before", ["é", "𝒳🏔️", "한글 ", "が"])
def test_offsets_are_bytes_whatever_stands_before(form, before):
    text = unicodedata.normalize(form, f"{before} josé@example.com")
    assert found(text)[0] == ("email", unicodedata.normalize(form, "josé@example.com"))


def test_rows_are_apart_and_slices_and_nulls_count_as_they_stand():
    texts = pa.array(["x", "a@b.com 1", None, "", "c@d.org"], pa.string())
    whole, part = find(texts), find(texts.slice(1))
    assert whole["row"].to_pylist() == [1, 4]
    assert part["row"].to_pylist() == [0, 3]
    assert part.drop_columns(["row"]).equals(whole.drop_columns(["row"]))
    assert find(pa.array(["4111 1111 ", "1111 1111", "ghp_" + "a" * 20, "a" * 16])).num_rows == 0


def test_batches_do_not_matter():
    texts = pa.array(["tel 212-555-0123", "AKIAIOSFODNN7EXAMPLE", "〒100-0013", "x@y.jp"] * 3)
    alone = [find(texts.slice(i, 1), languages=["en"]).drop_columns(["row"]).to_pylist() for i in range(len(texts))]
    together = find(texts, languages=["en"] * len(texts)).drop_columns(["row"]).to_pylist()
    assert [span for some in alone for span in some] == together


def test_wrong_usage_is_told():
    with pytest.raises(ValueError, match="known are"):
        find(pa.array(["x"]), ["emial"])
    with pytest.raises(ValueError, match="2 languages for 1 texts"):
        find(pa.array(["x"]), languages=["en", "ja"])


def test_manuals_hold_no_numbers_of_persons_and_only_known_secrets():
    """Of 316 pages of Debian manuals in 40 locales, eleven numbering plans tried: no other class is found."""
    pages = corpora.all_pages()[::29]
    texts = pa.array([real_texts.extracted(page) for _, page in pages], pa.string())
    spans = find(texts, regions=["US", "GB", "JP", "DE", "FR", "ES", "IT", "RU", "CN", "KR", "BR"])
    body = [texts[row].as_py().encode() for row in spans["row"].to_pylist()]
    where = zip(body, *(spans[name].to_pylist() for name in ("start", "end", "class")), strict=True)
    strings = {(name, text[start:end].decode()) for text, start, end, name in where}
    assert {said for name, said in strings if name not in ("email", "ip")} <= CHECKED
    assert all(said.count("@") == 1 for name, said in strings if name == "email")
    assert {name for name, _ in strings} >= {"email", "ip"}


# examples: passwords of URLs, the name of a key in a list of headers
CHECKED = {"password", "passord", "contraseña", "-----BEGIN PRIVATE KEY-----"}
