"""A small sound instruction set in six languages, over documents made for it; each test spoils one thing of it.

Nothing here comes from the generators: the auditor must be judged by records whose truth is known.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from filters.instruct.record import (
    Answer,
    Candidate,
    Citation,
    Edit,
    Evidence,
    Hedge,
    Message,
    Origin,
    sha256_of,
)
from filters.instruct.rows import SCHEMA, as_row, record_of
from manifests.contents import DOCUMENTS
from manifests.manifest import commit
from manifests.records import document_schema
from manifests.shards import write_shard
from manifests.store import Store

PER_LANGUAGE = 40
_SIGNALS = pa.schema([("words", pa.int64())])
_EN_MONTHS = "January February March April May June July August September October November December"
_DE_MONTHS = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
_ES_MONTHS = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
_RU_MONTHS = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"
_HI_MONTHS = "जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True)
class Tongue:
    """How a language says three things of a place, asks for them in two ways each, and says that it can't tell."""

    syllables: tuple[str, ...]
    people: tuple[str, ...]
    words: tuple[str, ...]
    date: str
    months: tuple[str, ...]
    said: tuple[str, str, str]
    asked: tuple[tuple[str, str], tuple[str, str], tuple[str, str]]
    unknown: tuple[str, str]
    comma: str = ","
    zero: str = "0"


TONGUES = {
    "en": Tongue(
        ("Bar", "lon", "wick", "mere", "Hol", "ton", "dale"),
        ("Mary Keller", "John Arden", "Ruth Calder", "Peter Voss", "Anne Birch"),
        ("iron", "river", "lantern", "winter", "harbour", "garden", "silver", "bridge"),
        "{d} {m} {y}",
        _words(_EN_MONTHS),
        (
            "The town of {p} was founded by {who} on {date}, as the oldest book of its council says.",
            "A count of households gave {p} a population of {n}, more than any place near it.",
            "Over its northern gate the people of {p} carved the words “{motto}” in grey stone.",
        ),
        (
            ("Who founded {p}, and when?", "Tell me the founder of {p} and the day of the founding."),
            ("How many people live in {p}?", "What is the population of {p}?"),
            ("What is carved over the gate of {p}?", "Quote the words on the northern gate of {p}."),
        ),
        (
            "The text speaks of {q}, but says nothing of {p}.",
            "I can't tell: {p} is not in this text, only {q} is.",
        ),
    ),
    "de": Tongue(
        ("Wald", "heim", "stein", "bach", "Alten", "furt", "rode"),
        ("Maria Keller", "Hans Arnold", "Ruth Kaller", "Peter Voss", "Anna Birke"),
        ("eisen", "fluss", "laterne", "winter", "hafen", "garten", "silber", "steg"),
        "{d}. {m} {y}",
        _words(_DE_MONTHS),
        (
            "Die Stadt {p} wurde von {who} am {date} gegründet, wie das älteste Ratsbuch sagt.",
            "Eine Zählung der Haushalte ergab für {p} genau {n} Einwohner, mehr als ringsum.",
            "Über dem Nordtor von {p} stehen die Worte „{motto}“ in grauem Stein.",
        ),
        (
            ("Wer hat {p} wann gegründet?", "Nenne Gründer und Gründungstag von {p}."),
            ("Wie viele Einwohner hat {p}?", "Welche Einwohnerzahl wird für {p} genannt?"),
            ("Was steht über dem Tor von {p}?", "Zitiere die Inschrift am Nordtor von {p}."),
        ),
        (
            "Der Text handelt von {q} und sagt nichts über {p}.",
            "Das lässt sich nicht sagen: {p} kommt nicht vor, nur {q}.",
        ),
        comma=".",
    ),
    "es": Tongue(
        ("Villa", "mar", "sol", "Torre", "luna", "Campo", "fuente"),
        ("María Salas", "Juan Ardiles", "Rosa Calderón", "Pedro Vargas", "Ana Robles"),
        ("hierro", "río", "farol", "invierno", "puerto", "jardín", "plata", "puente"),
        "{d} de {m} de {y}",
        _words(_ES_MONTHS),
        (
            "La ciudad de {p} fue fundada por {who} el {date}, según el libro más antiguo del concejo.",
            "Un recuento de hogares dio a {p} una población de {n} habitantes, más que sus vecinos.",
            "Sobre la puerta norte de {p} se leen las palabras «{motto}» en piedra gris.",
        ),
        (
            ("¿Quién fundó {p} y cuándo?", "Indica el fundador de {p} y la fecha de la fundación."),
            ("¿Cuántos habitantes tiene {p}?", "¿Cuál es la población de {p}?"),
            ("¿Qué se lee sobre la puerta de {p}?", "Cita la inscripción de la puerta norte de {p}."),
        ),
        ("El texto habla de {q} y no dice nada de {p}.", "No se puede saber: aquí no aparece {p}, solo {q}."),
        comma=".",
    ),
    "ru": Tongue(
        ("Бело", "горск", "озёрск", "Ново", "речье", "Верх", "луг"),
        ("Мария Келлер", "Иван Орлов", "Раиса Калугина", "Пётр Волков", "Анна Берёзова"),
        ("железо", "река", "фонарь", "зима", "гавань", "садом", "серебро", "мостом"),
        "{d} {m} {y}",
        _words(_RU_MONTHS),
        (
            "Город {p} построил мастер, которого звали {who}, и было это {date} года, как пишет старая книга.",
            "По счёту дворов город {p} насчитывал {n} жителей, больше всех соседей.",
            "Над северными воротами города {p} вырезаны слова «{motto}» на сером камне.",
        ),
        (
            ("Кто и когда построил {p}?", "Назови строителя города {p} и день постройки."),
            ("Сколько жителей насчитывал {p}?", "Каково население города {p}?"),
            ("Что вырезано над воротами города {p}?", "Приведи надпись на воротах города {p}."),
        ),
        ("Текст рассказывает про {q} и молчит про {p}.", "Сказать нельзя: про {p} здесь нет ни слова, только про {q}."),
        comma=" ",
    ),
    "ja": Tongue(
        ("アラ", "ミナ", "トリ", "カワ", "シロ", "ヤマ", "サキ"),
        ("マリア・ケラー", "ジョン・アーデン", "ルース・カルダー", "ピーター・ヴォス", "アンナ・バーチ"),
        ("鉄の", "川の", "灯火", "冬の", "港町", "庭園", "銀色", "大橋"),
        "{y}年{m}月{d}日",
        tuple(str(n) for n in range(1, 13)),
        (
            "町の最も古い記録によれば、{p}の町は{date}に{who}が築いた。",
            "戸数の調べでは、{p}の人口は{n}人であり、近隣のどこよりも多かった。",
            "北門の上には、{p}の人々が「{motto}」という言葉を灰色の石に刻んだ。",
        ),
        (
            ("{p}の町は、いつ、だれが築きましたか。", "{p}を築いた人と日付を教えてください。"),
            ("{p}の人口は何人ですか。", "{p}には何人が住んでいますか。"),
            ("{p}の北門の上には何と刻まれていますか。", "{p}の門の言葉を引用してください。"),
        ),
        (
            "この文章は{q}について述べており、{p}については書かれていません。",
            "{p}のことはこの文章からは分かりません。{q}の話だけです。",
        ),
    ),
    "hi": Tongue(
        ("राम", "पुर", "नगर", "गढ़", "शिव", "सागर", "कोट"),
        ("मारिया केलर", "जॉन आर्डन", "रूथ काल्डर", "पीटर वोस", "अन्ना बिर्च"),
        ("लोहा", "नदी", "दीपक", "सर्दी", "बंदरगाह", "बगीचा", "चाँदी", "सेतु"),
        "{d} {m} {y}",
        _words(_HI_MONTHS),
        (
            "नगर {p} की स्थापना {who} ने {date} को की थी, ऐसा सबसे पुरानी पुस्तक कहती है।",
            "घरों की गिनती में {p} की जनसंख्या {n} निकली, जो आसपास सबसे अधिक थी।",
            "उत्तरी द्वार पर {p} के लोगों ने “{motto}” शब्द धूसर पत्थर में लिखे।",
        ),
        (
            ("{p} की स्थापना किसने और कब की?", "{p} के संस्थापक और तिथि बताइए।"),
            ("{p} की जनसंख्या कितनी है?", "{p} में कितने लोग रहते हैं?"),
            ("{p} के द्वार पर क्या लिखा है?", "{p} के उत्तरी द्वार के शब्द उद्धृत कीजिए।"),
        ),
        ("पाठ {q} के बारे में है, {p} के बारे में कुछ नहीं कहता।", "यह नहीं कहा जा सकता: पाठ में {p} नहीं है, केवल {q} है।"),
        zero="०",
    ),
}


def lot(*parts: object) -> int:
    """Return a number that depends on the parts only."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:8], "big")


@dataclass(frozen=True)
class Document:
    """A document about one place: its text, and where its three sentences stand."""

    id: bytes
    language: str
    place: str
    text: str
    sentences: tuple[tuple[int, int], ...]

    @property
    def doc_id(self) -> str:
        return self.id.hex()


def documents(language: str, count: int = PER_LANGUAGE) -> list[Document]:
    """Return documents about places with names of their own."""
    tongue = TONGUES[language]
    found = []
    for number in range(count):
        place = _place(tongue, number)
        chosen = [lot(language, number, what) for what in ("who", "day", "month", "year", "count", "motto")]
        day, year = (_in_script(str(n), tongue) for n in (1 + chosen[1] % 28, 1500 + chosen[3] % 480))
        date = tongue.date.format(d=day, m=tongue.months[chosen[2] % 12], y=year)
        words = [tongue.words[(chosen[5] >> (3 * k)) % 8] for k in range(5)]
        motto = ("" if language == "ja" else " ").join(words)
        values = {"p": place, "who": tongue.people[chosen[0] % 5], "date": date, "motto": motto}
        population = f"{2000 + chosen[4] % 900_000:,}".replace(",", tongue.comma)
        values["n"] = _in_script(population, tongue)
        said = [line.format(**values) for line in tongue.said]
        text = f"{place} 🏛\r\n" + ("" if language == "ja" else " ").join(said) + "\n"
        starts = [text.index(line) for line in said]
        spans = tuple((start, start + len(line)) for start, line in zip(starts, said, strict=True))
        record = hashlib.sha256(f"{language}/{number}".encode()).digest()[:16]
        found.append(Document(record, language, place, text, spans))
    return found


def _place(tongue: Tongue, number: int) -> str:
    size = len(tongue.syllables)
    return tongue.syllables[number % size] + tongue.syllables[number // size % size].lower() + (
        tongue.syllables[number % 3].lower() if number % 2 else ""
    )  # fmt: skip


def _in_script(digits: str, tongue: Tongue) -> str:
    return "".join(chr(ord(tongue.zero) + int(each)) if each.isdigit() else each for each in digits)


def records(language: str, count: int = PER_LANGUAGE) -> list[Candidate]:
    """Return three answered questions a document, and a hedge whose question asks for another place."""
    found: list[Candidate] = []
    made = documents(language, count)
    for number, document in enumerate(made):
        answered = [_answered(document, kind, number) for kind in range(3)]
        twin = answered[number % 3]
        found += [*answered, _hedged(document, made[(number + 7) % count].place, number, twin)]
    return found


def _evidence(document: Document, start: int, end: int, role: Any) -> Evidence:
    fixed = (document.doc_id, sha256_of(document.text), f"https://{document.doc_id}.example/", "example", None, "text")
    return Evidence(*fixed, start, end, document.text[start:end], role)  # type: ignore[arg-type]


def _prompt(document: Document, question: str) -> str:
    return f"{document.text[document.sentences[0][0] :].strip()}\n\n{question}"


def _answered(document: Document, kind: int, number: int) -> Candidate:
    tongue = TONGUES[document.language]
    start, end = document.sentences[kind]
    said = document.text[start:end]
    question = tongue.asked[kind][number // 3 % 2].format(p=document.place)
    return Candidate(
        behaviour="attribution",
        task="span_qa",
        lang=document.language,
        messages=(Message("user", _prompt(document, question)), Message("assistant", f"{said} [1]")),
        answer=Answer(said, "sentence"),
        evidence=(
            _evidence(document, start, end, "support"),
            _evidence(document, document.sentences[0][0], document.sentences[2][1], "context"),
        ),
        gen=Origin("rule", f"span_qa/{document.language}/{kind}{number // 3 % 2}"),
        citations=(Citation((0, len(said)), (0,)),),
    )


def _hedged(document: Document, other: str, number: int, twin: Candidate) -> Candidate:
    tongue = TONGUES[document.language]
    question = tongue.asked[number % 3][number // 3 % 2].format(p=other)
    reply = tongue.unknown[number % 2].format(p=other, q=document.place)
    return replace(
        twin,
        behaviour="hedge",
        messages=(Message("user", _prompt(document, question)), Message("assistant", reply)),
        answer=Answer("", "none"),
        evidence=(_evidence(document, document.sentences[0][0], document.sentences[2][1], "context"),),
        gen=Origin("rule", f"hedge/{document.language}/{number % 3}{number // 3 % 2}"),
        citations=(),
        hedge=Hedge("context.entity_swap", "abstain", twin.answer.text, Edit("entity", document.place, other)),
    )


def rows_of(candidates: Iterable[Candidate]) -> list[dict[str, Any]]:
    """Return Parquet rows by id; a hedge gets its twin's id."""
    rows = []
    ids: dict[str, str] = {}
    for made in candidates:
        each = made
        if made.hedge is not None and made.hedge.contrast_id is None:
            each = replace(made, hedge=replace(made.hedge, contrast_id=ids.get(made.hedge.plausible_wrong)))
        key = each.evidence[0].doc_id
        split = ("train", "train", "train", "validation")[lot(key) % 4]
        name, line = record_of(each, key, None, split)
        if each.hedge is None:
            ids[each.answer.text] = name
        rows.append(as_row(line))
    return sorted(rows, key=lambda row: row["id"])


def commit_world(
    store: Store,
    candidates: Iterable[Candidate] | None = None,
    languages: Iterable[str] = tuple(TONGUES),
    texts: Mapping[str, str] | None = None,
    rows: list[dict[str, Any]] | None = None,
    count: int = PER_LANGUAGE,
) -> None:
    """Commit the documents as `text` and the records as `instruct`; `texts` stand in place of documents' own."""
    chosen = list(languages)
    read = [document for language in chosen for document in documents(language, count)]
    stored = [
        {
            "id": each.id,
            "uri": f"https://{each.doc_id}.example/",
            "source": "made",
            "language": each.language,
            "text": (texts or {}).get(each.doc_id, each.text),
            "parts": [],
            "markup": [],
            "signals": {"words": 1},
        }
        for each in sorted(read, key=lambda document: document.id)
    ]
    table = pa.Table.from_pylist(stored, document_schema(_SIGNALS))
    text = write_shard(store, "text/data/part-00000-of-00001", DOCUMENTS, table)
    _, made = commit(store, "text", {"job": "text", "shards": [text.as_json()]})
    if rows is None:
        rows = rows_of(candidates or [each for language in chosen for each in records(language, count)])
    shard = write_shard(store, "instruct/data/part-00000-of-00001", "conversations", pa.Table.from_pylist(rows, SCHEMA))
    account = {"in": len(rows) + 3, "out": {"kept": len(rows), "dropped/check/not_literal": 3}, "lost_bytes": 0}
    body = {"job": "instruct", "parents": [made["digest"]], "ledger": account, "shards": [shard.as_json()]}
    commit(store, "instruct", body)
