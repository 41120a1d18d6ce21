"""Mode b: an endpoint that is asked over real HTTP, and what becomes of what it says."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instruct_world import commit_world
from model_server import STRANGER, model, serving

from filters.instruct.endpoint import replies
from filters.instruct.endpoint.asking import Model, Request, Waiting
from filters.instruct.endpoint.drafts import Rejected, Writers, agreement, of_passage, replaced
from filters.instruct.endpoint.entailment import Judged, Label, Verbatim
from filters.instruct.endpoint.locate import EDGES, fold, locate
from filters.instruct.passages import stretches
from filters.instruct.record import Candidate, Message, Settings, Source, sha256_of
from manifests.keys import digest_of
from manifests.manifest import newest_version
from manifests.reader import read_manifest
from manifests.runs import Run, read_run
from manifests.store import Store, open_store
from pipelines.instruct.block import Instruct
from pipelines.instruct.endpoint import Ask, Endpoint, Kept, Unanswered, is_worth_a_retry, letter_name
from pipelines.instruct.endpoint_block import EndpointBlock
from pipelines.instruct.generate import generated
from pipelines.launcher import Launcher

PASSAGE = (
    "The town of Barlonwick (in the north) was founded by Mary Keller in 1867, as the oldest book says. "
    "A count of households gave it a population of 12,345 people, more than any place near it. "
    "Over its gate the people carved some words in grey stone, and they can still be read today by visitors. "
    "Every winter the river freezes, and the mills stand still until the ice breaks up again in March."
)
JAPANESE = (
    "町の最も古い記録によれば、バーロンウィックの町は１８６７年にマリア・ケラーが築いたという。"
    "戸数の調べでは、その人口は12,345人であり、近隣のどこの町や村よりも多かったとされている。"
    "北門の上には、人々が短い言葉を灰色の石に刻み、今日もなお訪れる人はそれを読むことができる。"
    "毎年の冬には川が凍り、三月に氷が割れて流れ出すまで、水車はどれも止まったままである。"
)
WRITER = Model("writer", {"temperature": 0.0})
WRITERS = Writers(WRITER, Model("reader", {}), Model("judge", {}))


class Said:
    """Responses as they come from a function of the prompt."""

    def __init__(self, **own: str) -> None:
        self.own, self.asked = own, Counter[str]()

    def get(self, request: Request) -> str | None:
        self.asked[request.purpose] += 1
        return self.own.get(request.purpose) or model(request.messages[-1].content)


def source(text: str, language: str) -> Source:
    return Source("ab" * 16, f"Head\r\n\n{text}\n", sha256_of(f"Head\r\n\n{text}\n"), "https://a.example/", "a.example",
                  "a.example", "CC0-1.0", language, "ab" * 16, title="Barlonwick")  # fmt: skip


def outcomes(text: str = PASSAGE, language: str = "en", count: int = 4, **own: str) -> list[Any]:
    said = Said(**own)
    (stretch,) = stretches(source(text, language), Settings())
    return list(of_passage(stretch, WRITERS, Judged(WRITERS.judge, said), said, Settings(), count))


def flat(found: list[Any]) -> list[Candidate]:
    return [
        each for some in found for each in (some if isinstance(some, tuple) else (some,)) if isinstance(each, Candidate)
    ]


@pytest.mark.parametrize(("text", "language"), [(PASSAGE, "en"), (JAPANESE, "ja")])
def test_what_is_sound_becomes_a_record_and_the_rest_says_why_not(text: str, language: str) -> None:
    found = outcomes(text, language)
    assert Counter(each.reason for each in found if isinstance(each, Rejected)) == {
        "quote_not_located": 1,
        "number_not_in_quotes": 1,
        "not_entailed": 1,
    }
    hedge, twin = flat(found)
    of = source(text, language)
    for each in (*hedge.evidence, *twin.evidence):
        assert of.text[each.start : each.end] == each.quote
    assert twin.behaviour == "attribution" and twin.answer.text in twin.messages[-1].content
    assert {check.check for check in twin.verify} == {"offset", "literal", "answerable", "roundtrip", "nli"}
    assert all(check.verdict == "pass" for each in (hedge, twin) for check in each.verify)
    assert hedge.hedge is not None and STRANGER in hedge.messages[0].content and STRANGER not in of.text
    assert twin.gen.mode == "llm" and twin.gen.model == "writer" and twin.gen.prompt_sha256 is not None


def test_a_citation_that_is_not_needed_is_left_out() -> None:
    _, twin = flat(outcomes())
    assert [each.evidence for each in twin.citations] == [(0,)]
    assert sum(each.role == "support" for each in twin.evidence) == 1


@pytest.mark.parametrize(
    ("purpose", "reply", "reason"),
    [
        pytest.param("write", "I am a model and I like questions.", "no_item", id="no JSON at all"),
        pytest.param("write", '{"items": [{"question": "x"}]}', "no_item", id="an item without answer"),
        pytest.param("answerable", '{"answerable": false}', "not_answerable", id="the judge says no"),
        pytest.param("answerable", "hm", "not_answerable", id="the judge says nothing that can be read"),
        pytest.param("read", '{"answer": null}', "round_trip", id="the reader finds no answer"),
        pytest.param("read", '{"answer": "a wholly other thing"}', "round_trip", id="the reader finds another"),
        pytest.param("read", "no JSON", "round_trip", id="the reader can't be read"),
    ],
)
def test_what_one_check_does_not_pass_is_no_record(purpose: str, reply: str, reason: str) -> None:
    found = outcomes(count=1, **{purpose: reply})
    assert [each.reason for each in found] == [reason]


class Shrug:
    """An entailment model that can't tell."""

    tool = "shrug@1"

    def score(self, premise: str, hypothesis: str, lang: str) -> Label:
        return "unknown"


def test_unknown_never_counts_as_passed() -> None:
    (stretch,) = stretches(source(PASSAGE, "en"), Settings())
    said = Said()
    found = list(of_passage(stretch, WRITERS, Shrug(), said, Settings(), 1))
    assert [each.reason for each in found] == ["not_entailed"]
    assert Verbatim().score(PASSAGE, "Every winter the river freezes", "en") == "entail"
    assert Verbatim().score(PASSAGE, "The river never freezes", "en") == "unknown"


def test_requests_that_can_be_made_together_are_listed_together() -> None:
    class Empty:
        def get(self, request: Request) -> str | None:
            return model(request.messages[-1].content) if request.purpose == "write" else None

    (stretch,) = stretches(source(PASSAGE, "en"), Settings())
    with pytest.raises(Waiting) as waiting:
        list(of_passage(stretch, WRITERS, Verbatim(), Empty(), Settings(), 4))
    assert Counter(each.purpose for each in waiting.value.requests) == {"answerable": 2, "read": 2}


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        pytest.param('A "quoted" text with', "Ａ “quoted” text\r\n  with", id="widths, marks and line ends"),
        pytest.param("が", "か\u3099", id="composed against decomposed"),
        pytest.param("and 𝒳 astral", "and 𝒳 astral", id="an astral letter"),
        pytest.param("and X astral", "and 𝒳 astral", id="an astral letter written plainly"),
        pytest.param("fine", "ﬁne", id="a ligature"),
        pytest.param("f", None, id="half of a ligature"),
        pytest.param("… “with” …", "with", id="marks and dots around it are the model's"),
        pytest.param("with that", None, id="what does not stand there"),
        pytest.param(" ", None, id="nothing"),
    ],
)
def test_quotes_are_located_in_the_raw_text(quote: str, expected: str | None) -> None:
    text = "Ａ “quoted” text\r\n  with か\u3099 and 𝒳 astral: ﬁne."
    found = locate(quote, text)
    assert (None if found is None else text[slice(*found)]) == expected


WHOLE = ("a", "é", " ", "Bが", "1", "か\u3099", "１", "ﬁ", "𝒳", "नि", "١", "“", "»", "-", "\n", ".")
COPIED = st.lists(st.sampled_from(WHOLE), max_size=12).map("".join)


@given(COPIED, COPIED, COPIED)
@settings(max_examples=40)
def test_what_was_copied_is_found_and_reads_the_same(before: str, quote: str, after: str) -> None:
    text = f"{before}\n{quote}\n{after}"
    found = locate(quote, text)
    if not quote.strip(EDGES):
        assert found is None
        return
    assert found is not None
    assert fold(text[slice(*found)]).text.strip() == fold(quote.strip(EDGES)).text.strip()


@pytest.mark.parametrize(
    ("left", "right", "is_alike"),
    [
        pytest.param("in 1867", "It was founded in 1867.", True, id="one holds the other"),
        pytest.param("マリア・ケラー", "マリア・ケラーが築いた。", True, id="Japanese"),
        pytest.param("Mary Keller founded it", "It was founded by Mary Keller", True, id="the other way about"),
        pytest.param("John Arden", "Mary Keller", False, id="another person"),
        pytest.param("", "Mary Keller", False, id="no answer"),
    ],
)
def test_answers_agree(left: str, right: str, is_alike: bool) -> None:
    assert (agreement(left, right) >= 0.5) is is_alike


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("Who founded Rome?", "Who founded Zork?", "Rome", id="one name"),
        pytest.param("Zork?", "Rome is Zork?", "", id="more was changed"),
        pytest.param("東京はいつ？", "Zorkはいつ？", "東京", id="Japanese"),
    ],
)
def test_what_was_changed_in_a_question_is_told(old: str, new: str, expected: str) -> None:
    assert replaced(old, new, "Zork") == expected


def test_json_is_found_among_words() -> None:
    assert replies.first_object('Here: {oops} ```json\n{"a": {"b": 1}}\n``` bye') == {"a": {"b": 1}}
    assert replies.first_object("[1, 2]") is None
    assert replies.label('{"label": "maybe"}') == "unknown" and replies.answerable('{"answerable": "yes"}') is None


@pytest.mark.parametrize(
    ("failure", "status", "is_tried_again"),
    [
        pytest.param(429, 429, True, id="too many requests"),
        pytest.param(503, 503, True, id="unavailable"),
        pytest.param(0.6, 0, True, id="too late"),
        pytest.param(400, 400, False, id="a bad request"),
        pytest.param(401, 401, False, id="no key"),
        pytest.param(302, 302, False, id="a redirect is not followed"),
    ],
)
def test_only_what_may_pass_is_tried_again(failure: int | float, status: int, is_tried_again: bool) -> None:
    with serving(lambda prompt, before: failure) as served, pytest.raises(Unanswered) as error:
        Endpoint(served.url, timeout_s=0.3).complete({"model": "m", "messages": [{"role": "user", "content": "x"}]})
    assert error.value.status == status and is_worth_a_retry(error.value) is is_tried_again
    assert not is_worth_a_retry(ValueError("a bug"))


def test_no_server_is_an_error_that_is_tried_again() -> None:
    with pytest.raises(Unanswered) as error:
        Endpoint("http://127.0.0.1:9/v1").complete({"model": "m", "messages": []})
    assert is_worth_a_retry(error.value)


def test_the_key_is_sent_and_kept_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "s3cret-value")
    body = Request(WRITER, (Message("user", "You write questions\n\nPassage:\nA b. C d."),), "write").body()
    with serving() as served:
        Kept(open_store(tmp_path)).put(body, Endpoint(served.url, "MY_KEY").complete(body))
    assert served.keys == ["Bearer s3cret-value"]
    assert not any("s3cret" in path.read_text() for path in tmp_path.rglob("*.json"))


def test_a_batch_asks_what_is_missing_and_a_response_once(tmp_path: Path) -> None:
    bodies = [Request(WRITER, (Message("user", f"Does the text contain {n}?"),), "x").body() for n in range(3)]
    lines = [json.dumps(body) for body in bodies]
    with serving(lambda prompt, before: 500 if "1?" in prompt and not before else None) as served:
        handler = Ask(Endpoint(served.url), str(tmp_path), 2, None, 3)
        with pytest.raises(Unanswered):
            handler.request(lines, handler.create_client())
        assert handler.request(lines, handler.create_client()) == [(digest_of(body), "") for body in bodies]
        assert len(served.asked) == 4
    assert Kept(open_store(tmp_path)).get(digest_of(bodies[0])) is not None


def test_a_steady_rate_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.instruct import endpoint

    slept: list[float] = []
    monkeypatch.setattr(endpoint.time, "sleep", slept.append)
    monkeypatch.setattr(endpoint.time, "monotonic", lambda: 100.0)
    limiter = endpoint.Steady(per_minute=120)
    assert [limiter.allow(hits_added=2), limiter.allow(hits_added=2), limiter.allow()] == [True] * 3
    assert slept == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("given_block", "said"),
    [
        pytest.param({"url": "ftp://a/v1"}, "http or https", id="another scheme"),
        pytest.param({"url": "http://me:pw@a/v1"}, "api_key_env", id="a password in the address"),
        pytest.param({"parameters": {"stream": True}}, "stream", id="a parameter that the job says itself"),
        pytest.param({"api_key_env": "sk-123"}, "api_key_env", id="a key where its variable belongs"),
    ],
)
def test_a_wrong_block_is_refused(given_block: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EndpointBlock(**{"url": "http://127.0.0.1:1/v1", "model": "m", **given_block})


def test_where_the_endpoint_is_decides_nothing() -> None:
    one = EndpointBlock(url="http://127.0.0.1:1/v1", model="m", per_minute=3)
    other = EndpointBlock(url="https://b.example/v1/", model="m", concurrency=2)
    assert one.decisive() == other.decisive()
    assert Instruct(endpoint=one).endpoint == one


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Give a store with a text snapshot of six documents; Beam does not wait between tries."""
    monkeypatch.setattr("apache_beam.utils.retry.Clock.sleep", lambda self, seconds: None)
    store = open_store(tmp_path / "out")
    commit_world(store, languages=("en", "ja"), count=3, rows=[])
    yield store


def world_texts(count: int = 3) -> dict[str, str]:
    from instruct_world import documents

    bodies = {"en": PASSAGE, "ja": JAPANESE}
    return {each.doc_id: f"{each.place}\n{bodies[lang].replace('12,345', f'1{n},345')}\n"
            for lang in bodies for n, each in enumerate(documents(lang, count))}  # fmt: skip


def run(root: Path, url: str, **own: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run mode b over the text snapshot and return (candidates' JSON lines, rejects)."""
    launcher = Launcher(str(root), workers=1, quiet=True)
    settled = {"questions": 4, "timeout_s": 5.0, **own}
    block = EndpointBlock(url=url, model="writer", reader="reader", tries=3, **settled)
    shards = [each for each in read_manifest(launcher.store, "text")["shards"] if each["kind"] == "documents"]
    settings = {"seed": 0, "max_records_per_document": 40, "max_passage_chars": 1200, "max_quote_chars": 400,
                "context_passages": 4, "crawl_date": None, "languages": [], "options": {}}  # fmt: skip
    config = {"settings": settings, "splits": {"validation": 0.0, "test": 0.0}, "part_bytes": 1 << 20, "publishers": {}}
    found: dict[str, list[dict[str, Any]]] = {"bodies": [], "rejects": []}
    for marker in generated(launcher, block, shards, config):
        assert marker["made"] == sum(marker["counts"][kind] for kind in ("candidates", "rejects"))
        for kind, rows in found.items():
            for each in marker["runs"][kind]:
                rows += [row for batch in read_run(launcher.store, Run(**each)) for row in batch.to_pylist()]
    return [json.loads(row["body"]) for row in found["bodies"]], found["rejects"]


def test_the_job_asks_checks_and_goes_on_without_asking_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apache_beam.utils.retry.Clock.sleep", lambda self, seconds: None)
    root = tmp_path / "out"
    store = open_store(root)
    commit_world(store, languages=("en", "ja"), count=3, rows=[], texts=world_texts())

    def fail(prompt: str, before: int) -> int | None:
        if "14,345" in prompt:  # never there: no document has it
            return 500
        if "You write" in prompt and "11,345" in prompt:
            return 400  # a dead letter
        return 429 if prompt.startswith("Does the text") and not before else None

    with serving(fail) as served:
        made, rejects = run(root, served.url)
        first = len(served.asked)
        again, _ = run(root, served.url)
        assert len(served.asked) == first + 2  # dead letters alone are asked once more
    assert [each["id"] for each in again] == [each["id"] for each in made]
    assert Counter(each["behaviour"] for each in made) == {"attribution": 4, "hedge": 4}
    assert Counter(each["lang"] for each in made) == {"en": 4, "ja": 4}
    reasons = Counter(each["reason"] for each in rejects)
    assert reasons == {"no_response": 2, "quote_not_located": 4, "number_not_in_quotes": 4, "not_entailed": 4}
    assert {prompt for prompt, status in served.asked if status == 500} == set()
    letters = [json.loads(path.read_text()) for path in (root / "instruct" / "dead_letters").iterdir()]
    assert len(letters) == 2 and all("400" in each["error"] for each in letters)
    assert letter_name(letters[0]["key"]).endswith(f"{letters[0]['key']}.json")
    assert newest_version(store, "instruct") == 1  # nothing was committed by this phase alone


def test_an_endpoint_that_answers_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apache_beam.utils.retry.Clock.sleep", lambda self, seconds: None)
    store = open_store(tmp_path / "out")
    commit_world(store, languages=("en",), count=3, rows=[], texts=world_texts())
    with serving(lambda prompt, before: 401) as served, pytest.raises(RuntimeError, match=r"answered none of .* 401"):
        run(tmp_path / "out", served.url)


@pytest.mark.long
def test_a_whole_job_with_an_endpoint_balances_commits_and_is_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from manifests.limits import Limits
    from pipelines.instruct.audit import audit
    from pipelines.instruct.job import InstructJob

    monkeypatch.setattr("apache_beam.utils.retry.Clock.sleep", lambda self, seconds: None)
    store = open_store(tmp_path / "out")
    commit_world(store, languages=("en", "ja"), count=20, rows=[], texts=world_texts(20))
    with serving() as served:
        block = Instruct(endpoint=EndpointBlock(url=served.url, model="writer", reader="reader"), media=False)
        job = InstructJob(block, Limits(), Launcher(str(tmp_path / "out"), workers=1, quiet=True))
        version, manifest, stood = job.run()
        asked = len(served.asked)
        again = job.run()
        assert again[1]["digest"] == manifest["digest"] and len(served.asked) == asked
    assert version == 2 and not stood
    assert served.url not in json.dumps(manifest)
    out = manifest["ledger"]["out"]
    assert any(name.startswith("dropped/endpoint/quote_not_located") for name in out)
    gates = {gate.name: gate for gate in audit(store).gates}
    assert gates["citation recall (mode b)"].verdict == gates["citation precision (mode b)"].verdict == "pass"
    unsure = gates["generated records with a check that did not pass"]
    assert unsure.verdict == "pass" and unsure.of > 0
    assert gates["offsets: evidence stands where it is said to"].verdict == "pass"
