"""From examined records to the gates table."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from filters.instruct_audit import bayes, templates
from filters.instruct_audit.checker import Premise, supported
from filters.instruct_audit.corruption import KINDS, corrupted
from filters.instruct_audit.examine import MIN_PUBLISHERS, Claim, Examined
from filters.instruct_audit.gates import Gate, area, at_most, between, share
from filters.instruct_audit.repeats import repeats
from filters.instruct_audit.twins import Pairs, pairs
from filters.instruct_audit.wilson import Interval, auc

KILL_LANGUAGES = ("en", "de", "es", "ru", "ja")
MOST_CLAIMS = 2000  # of a language
MAX_TEMPLATE = 0.05
MIN_SET = 40  # records of a set whose templates have a gate
MIN_KILLS = 20  # corruptions of a kind and language; fewer say nothing
CORPUS_TOLERANCE = 0.2
_FORM = ("id", "messages", "answer", "citation")
BEHAVIOURS = ("attribution", "closed_book", "hedge")

Corpus = Mapping[str, int]  # bytes of documents by language


def gates_of(records: Sequence[Examined], corpus: Corpus) -> tuple[list[Gate], Pairs]:
    """Return the table, in order, and what twins show; `corpus`: bytes of the documents' text by language."""
    hedges = [each for each in records if each.is_hedge]
    answerable = {each.id: each for each in records if not each.is_hedge}
    twins = pairs(hedges, answerable)
    table = [
        *_form(records),
        *_support(records),
        *kills(claim for each in records for claim in each.claims),
        *_hedges(records, twins),
        *_artefacts(hedges, answerable),
        *_spread(records, corpus),
    ]
    return table, twins


def _form(records: Sequence[Examined]) -> list[Gate]:
    bad: Counter[str] = Counter()  # records by what is wrong with them
    for each in records:
        bad.update({problem.partition(":")[0].split()[0] for problem in each.problems})
    right, of = (sum(each.offsets[n] for each in records) for n in (0, 1))
    generated = sum(each.mode == "llm" for each in records)
    malformed = sum(any(problem.startswith(_FORM) for problem in each.problems) for each in records)
    return [
        share("offsets: evidence stands where it is said to", right, of, 1.0),
        at_most("records whose id, messages, answer or citations do not fit", malformed, len(records), 0.0),
        at_most("generated records with a check that did not pass", bad["verify"], generated, 0.0),
        at_most("closed-book facts below three publishers in three clusters", bad["corroboration"],
                sum(each.behaviour == "closed_book" for each in records), 0.0),
    ]  # fmt: skip


def _support(records: Sequence[Examined]) -> list[Gate]:
    found = []
    for modes, name, least in ((("rule", "template"), "mode a", 1.0), (("llm",), "mode b", 0.95)):
        chosen = [each.support for each in records if each.mode in modes and each.support]
        if modes == ("llm",) and not chosen:
            continue
        stated, cited = sum(each.statements for each in chosen), sum(each.citations for each in chosen)
        found += [
            share(f"citation recall ({name})", sum(each.supported for each in chosen), stated, least),
            share(f"citation precision ({name})", sum(each.precise for each in chosen), cited, least),
        ]
    closed = [each for each in records if each.behaviour == "closed_book"]
    wide = sum(each.domains >= MIN_PUBLISHERS for each in closed)  # publishers may share a domain: reported
    found.append(share("closed-book facts with evidence from three domains", wide, len(closed)))
    found.append(
        share("closed-book answers that their evidence states", sum(e.answered for e in closed), len(closed), 1.0)
    )
    return found


def kills(claims: Iterable[Claim]) -> list[Gate]:
    """Return how often the checker refuses a true claim with one literal made false, by kind and language."""
    by_language: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        if len(by_language[claim.language]) < MOST_CLAIMS:
            by_language[claim.language].append(claim)
    found = []
    for language in sorted({*by_language, *KILL_LANGUAGES}):
        chosen = by_language[language]
        others = [claim.text for claim in chosen]
        for kind in KINDS:
            dead, of = _killed(chosen, kind, others)
            bound = 0.99 if language in KILL_LANGUAGES else None
            if of >= MIN_KILLS:
                found.append(share(f"corruption refused: {kind}, {language}", dead, of, bound))
            elif bound:
                found.append(share(f"corruption refused: {kind}, {language}", 0, 0, bound, f"only {of} cases"))
    return found


def _killed(claims: Sequence[Claim], kind: str, others: Sequence[str]) -> tuple[int, int]:
    dead = of = 0
    for claim in claims:
        false = corrupted(claim.text, kind, claim.language, claim.premise, others)
        if false is not None:
            of += 1
            dead += not supported(false, claim.language, Premise((claim.premise,)))
    return dead, of


def _hedges(records: Sequence[Examined], twins: Pairs) -> list[Gate]:
    answered = [each for each in records if not each.is_hedge]
    return [
        *between("hedges among all records", twins.hedges, len(records), 0.20, 0.33),
        share("hedges with a twin", twins.with_twin, twins.hedges, 1.0),
        share("twins that are answerable (over-refusal)", twins.answerable, twins.with_twin, 1.0),
        share("twins that share 80 % of the tokens", twins.close, twins.with_twin, 1.0),
        at_most("hedges whose passages give the answer away", twins.leaked, twins.checked, 0.005),
        at_most("hedges whose reason is not borne out by what they show", _ill_founded(records), twins.hedges, 0.0),
        share("answers carried by their evidence", sum(each.answered for each in answered), len(answered), 1.0),
    ]


def _ill_founded(records: Sequence[Examined]) -> int:
    return sum(any(problem.startswith("hedge:") for problem in each.problems) for each in records)


def _artefacts(hedges: Sequence[Examined], others: Mapping[str, Examined]) -> list[Gate]:
    chosen = [each for each in hedges if each.reason.startswith(("context.", "premise."))]
    twins = [twin for each in chosen if (twin := others.get(each.contrast_id or "")) is not None]
    both = [*chosen, *{each.id: each for each in twins}.values()]
    labels = [each.is_hedge for each in both]
    telling = bayes.held_out_auc([e.question for e in both], labels, [e.split_key for e in both])
    lengths = auc([float(len(each.question)) for each in both], labels) if len(both) >= 40 else None
    found = [
        area("AUC of hedges against twins from the question alone", telling, len(both), 0.62),
        area("AUC from the length of the question alone", _folded(lengths), len(both), 0.62),
        at_most("distance of registers (how questions end)", *_register_distance(chosen, twins)),
    ]
    for name, group in (("hedge", chosen), ("twin", twins)):
        middle = float(median([len(each.question) for each in group])) if group else None
        found.append(Gate(f"median length of a {name}'s question, characters", middle, None, None, len(group)))
    return found


def _folded(found: Interval | None) -> Interval | None:
    """Return an area on its better side: shorter tells as much as longer."""
    if found is None or found.value >= 0.5:
        return found
    return Interval(1 - found.value, 1 - found.high, 1 - found.low)


def _register_distance(hedges: Sequence[Examined], twins: Sequence[Examined]) -> tuple[int, int]:
    """Return (moved, of): how many hedges would have to end otherwise to be spread as twins are."""
    ends = [Counter(f"{e.language} {' '.join(e.question.split())[-2:]}" for e in group) for group in (hedges, twins)]
    return (ends[0] - ends[1]).total(), len(hedges)


def _spread(records: Sequence[Examined], corpus: Corpus) -> list[Gate]:
    seen = repeats(records)
    counted = Counter(each.behaviour for each in records)
    found = [
        at_most("records that repeat a prompt and its reply", seen.same_prompt, seen.records, 0.0),
        at_most("records that repeat a question and its reply", seen.same_question, seen.records),
        at_most("split keys and documents that stand in two splits", *_split_leaks(records), 0.0),
        _languages(records, corpus),
        *(Gate(f"records per 10 kB of text: {name}", counted[name] / (sum(corpus.values()) / 1e4), None, None,
               counted[name]) for name in BEHAVIOURS if corpus),
    ]  # fmt: skip
    if corpus:
        total = len(records) / (sum(corpus.values()) / 1e4)
        found.append(Gate("records per 10 kB of text", total, None, None, len(records)))
    for name, commonest in (
        ("commonest shape of a question", templates.commonest_shapes(records)),
        ("commonest template, as declared", templates.commonest_declared(records)),
    ):
        for e in commonest:
            bound = MAX_TEMPLATE if e.of >= MIN_SET else None  # of twenty records none can be less than 5 %
            found.append(at_most(f"{name}: {e.behaviour}", e.records, e.of, bound, e.shape[:160]))
    return found


def _split_leaks(records: Sequence[Examined]) -> tuple[int, int]:
    """Return (things in more than one split, things): split keys and cited documents."""
    splits: dict[str, set[str]] = defaultdict(set)
    for each in records:
        for thing in (f"key {each.split_key}", *(f"document {name}" for name in each.documents)):
            splits[thing].add(each.split)
    return sum(len(each) > 1 for each in splits.values()), len(splits)


def _languages(records: Sequence[Examined], corpus: Corpus) -> Gate:
    """Return how far the mix of languages is from that of the corpus in these languages (bytes of text): half the sum
    of the differences of their shares.
    """
    name = "distance of the language mix from the corpus"
    total = sum(corpus.values())
    if not total or not records:
        return Gate(name, None, None, None, len(records), "<=", CORPUS_TOLERANCE)
    made = Counter(each.language for each in records)
    reached = sum(size for language, size in corpus.items() if language in made)
    shares = {lang: (made[lang] / len(records), corpus.get(lang, 0) / max(1, reached)) for lang in made}
    distance = sum(abs(a - b) for a, b in shares.values()) / 2
    worst = max(sorted(shares), key=lambda lang: abs(shares[lang][0] - shares[lang][1]))
    note = f"furthest: {worst}, {shares[worst][0]:.1%} of the records, {shares[worst][1]:.1%} of the text"
    note += f"; {1 - reached / total:.1%} of all text is in languages without records"
    return Gate(name, distance, None, None, len(records), "<=", CORPUS_TOLERANCE, note)


def sampled(record: bytes, share_of: float) -> bool:
    """Tell whether a record is looked at where only a share is: by a hash of its id."""
    coin = int.from_bytes(hashlib.blake2b(record, digest_size=8, key=b"audit").digest(), "big")
    return coin < share_of * 2.0**64
