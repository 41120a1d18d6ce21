"""Instruction sets: what there is of each, the auditor's table, and records with their evidence in the source."""

from collections.abc import Sequence

from pipelines.report.formats import percent, plural, whole
from pipelines.report.instruct_data import InstructCount, InstructData, InstructGate, InstructRecord, Window
from pipelines.report.language_names import language_name
from pipelines.report.media import figures
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Child, Html, foreign, name, tag

TITLES = {"attribution": "Attribution", "closed_book": "Closed-book", "hedge": "Hedge"}
_KILL = "corruption refused: "
FIRST = 4  # records that are shown at once; the others unfold
LANGUAGES_NAMED = 8


def instruct_section(data: InstructData | None) -> Html | None:
    """Return the section, None where no instruction sets were made."""
    if data is None:
        return None
    return tag("div", _figures(data), _counts(data), _audit(data.gates), _losses(data), _samples(data))


def _figures(data: InstructData) -> Html:
    rows = [("records", whole(data.records), "questions with their replies")]
    for behaviour, title in TITLES.items():
        own = sum(each.records for each in data.counts if each.behaviour == behaviour)
        if data.counts:
            rows.append((title.lower(), whole(own), f"{percent(own, max(1, data.records))} of the records"))
    languages = {language for each in data.counts for language in each.languages}
    if languages:
        rows.append((plural(len(languages), "language", "languages"), whole(len(languages)), "of prompts and replies"))
    return figures(rows)


def _counts(data: InstructData) -> Html | None:
    """Return a table of tasks, and of hedges by reason, with their languages."""
    if not data.counts:
        return None
    most = max(each.records for each in data.counts)
    rows = []
    for behaviour, title in TITLES.items():
        some = [each for each in data.counts if each.behaviour == behaviour]
        rows += [_count(each, title if n == 0 else "", most) for n, each in enumerate(some)]
    shown = table(
        "said", ("", "task, or why nothing can be answered", ">records", "", "languages"), rows, "Records by task"
    )
    return tag("figure", tag("h3", "What there is"), shown)


def _count(each: InstructCount, title: str, most: int) -> Html:
    named = [f"{language_name(language)} {whole(n)}" for language, n in list(each.languages.items())[:LANGUAGES_NAMED]]
    rest = len(each.languages) - LANGUAGES_NAMED
    text = ", ".join(named) + (f" and {rest} more" if rest > 0 else "")
    cells = (tag("td", name(each.task)), count_cell(each.records), bar(("kept", each.records / most)), tag("td", text))
    return tag("tr", tag("th", title, scope="row"), *cells)


def _audit(gates: Sequence[InstructGate]) -> Html:
    """Return the auditor's table, and what it refused of corrupted claims beside it."""
    title = tag("h3", "The auditor's table")
    if not gates:
        text = "Nobody has audited this snapshot. "
        return tag("figure", title, tag("p", text, name("corpusmill instruct audit OUT"), " does.", class_="empty"))
    failed = [gate for gate in gates if gate.verdict == "fail"]
    open_gates = sum(gate.verdict == "not measured" for gate in gates)
    said = f"{whole(len(failed))} of the gates are missed. " if failed else "Every gate that was measured is met. "
    caption = (
        f"{said}{whole(open_gates)} could not be measured here, for want of cases. The auditor shares no code with the "
        "generators: it reads the shards and the texts that they cite, and looks everything up again. Intervals are "
        "Wilson's, 95 % (of an area under the curve, Hanley and McNeil's)."
    )
    rows = [_gate(gate) for gate in gates if not gate.name.startswith(_KILL)]
    columns = ("gate", ">value", ">95 % interval", ">of", ">bound", "")
    shown = table("gates", columns, rows, "What the auditor found")
    alarm = tag("p", "Missed: ", "; ".join(gate.name for gate in failed), class_="alarm") if failed else None
    return tag("figure", title, alarm, shown, tag("figcaption", caption), _kills(gates))


def _gate(gate: InstructGate) -> Html:
    note = tag("small", gate.note) if gate.note else None
    value = "" if gate.value is None else _number(gate.value)
    interval = "" if gate.low is None or gate.high is None else f"{gate.low:.4f} to {gate.high:.4f}"
    bound = "" if gate.bound is None else f"{'≥' if gate.relation == '>=' else '≤'} {gate.bound:g}"
    numbers = [tag("td", text, class_="number") for text in (value, interval, whole(gate.of), bound)]
    return tag("tr", tag("th", gate.name, note, scope="row"), numbers, tag("td", _verdict(gate.verdict)))


def _verdict(verdict: str) -> Html:
    kinds = {"pass": "met", "fail": "missed", "not measured": "unmeasured"}
    return tag("span", kinds.get(verdict, ""), class_=f"verdict {kinds.get(verdict, 'reported')}")


def _number(value: float) -> str:
    return f"{value:.4f}" if value < 10 else f"{value:,.1f}"


def _kills(gates: Sequence[InstructGate]) -> Html | None:
    """Return languages by kinds: of true claims with one literal made false, how many the checker refuses."""
    cells = {tuple(gate.name.removeprefix(_KILL).split(", ")): gate for gate in gates if gate.name.startswith(_KILL)}
    kinds = [kind for kind in ("number", "date", "entity", "quote") if any(key[0] == kind for key in cells)]
    if not kinds:
        return None
    rows = []
    for language in sorted({key[1] for key in cells}):
        row = [_kill(cells.get((kind, language))) for kind in kinds]
        rows.append(tag("tr", tag("th", language_name(language), scope="row"), row))
    shown = table("kills", ("", *(f">{kind}" for kind in kinds)), rows, "Corrupted claims that were refused")
    caption = (
        "The checker itself is tested on the set's own claims: one number, date, name or quotation of each is made "
        "false by a hash, and the share that is then refused is shown (gate: 0.99 in English, German, Spanish, Russian "
        "and Japanese)."
    )
    return tag("div", tag("h4", "False claims refused"), shown, tag("figcaption", caption))


def _kill(gate: InstructGate | None) -> Html:
    if gate is None or gate.value is None:
        return tag("td", gate.note if gate else "", class_="number zero")
    chip = _verdict(gate.verdict) if gate.verdict == "fail" else None
    return tag("td", f"{gate.value:.4f}", tag("small", f" of {whole(gate.of)}"), chip, class_="number")


def _losses(data: InstructData) -> Html | None:
    """Return what became of candidates that are no records."""
    if not data.left_out:
        return None
    most = max(data.left_out.values())
    rows = [
        tag("tr", tag("th", name(reason), scope="row"), count_cell(n), bar(("dropped", n / most)))
        for reason, n in data.left_out.items()
    ]
    shown = table("said", ("stage and reason", ">candidates", ""), rows, "Candidates that are no records")
    return tag("details", tag("summary", "What was left out, by stage and reason"), shown)


def _samples(data: InstructData) -> list[Html]:
    return [_behaviour(behaviour, data.samples[behaviour]) for behaviour in TITLES if data.samples.get(behaviour)]


def _behaviour(behaviour: str, records: Sequence[InstructRecord]) -> Html:
    caption = (
        "Drawn by the record's id, a digest, one of each language in turn: nobody picked them. What the reply takes "
        "from its sources is underlined; below it stands the source with the evidence marked."
    )
    first = tag("div", [_card(each) for each in records[:FIRST]], class_="columns")
    rest = tag("div", [_card(each) for each in records[FIRST:]], class_="columns")
    more = tag("details", tag("summary", f"{whole(len(records) - FIRST)} more"), rest) if records[FIRST:] else None
    return tag("figure", tag("h3", TITLES[behaviour]), tag("figcaption", caption), first, more, class_="talks")


def _card(record: InstructRecord) -> Html:
    shown = f"{whole(record.passages)} {plural(record.passages, 'passage', 'passages')} shown with it"
    facts = [language_name(record.language), shown if record.passages else "no passage shown", record.id[:8]]
    chips = [tag("code", each, class_="task-chip") for each in (record.task, record.reason) if each]
    return tag(
        "article",
        tag("p", chips, class_="reasons"),
        foreign("p", record.question, record.language, class_="asked"),
        foreign("p", _reply(record), record.language, class_="replied"),
        _edit(record),
        [_window(each, record.language) for each in record.evidence],
        tag("p", f"and {whole(record.unshown)} more that say so", class_="facts") if record.unshown else None,
        tag("p", record.corroboration, class_="facts") if record.corroboration else None,
        tag("p", " · ".join(facts), class_="facts"),
        class_="card talk",
    )


def _reply(record: InstructRecord) -> list[Child]:
    """Return the reply with what citations span underlined."""
    parts: list[Child] = []
    at = 0
    for start, end in record.cited:
        if start >= at:
            parts += [record.reply[at:start], tag("u", record.reply[start:end])]
            at = end
    return [*parts, record.reply[at:]]


def _edit(record: InstructRecord) -> Html | None:
    if record.edit is None and not record.wrong:
        return None
    changed = []
    if record.edit is not None and any(record.edit):
        changed = [
            "changed against its twin: ",
            tag("del", record.edit[0] or "–"),
            " → ",
            tag("ins", record.edit[1] or "–"),
        ]
    wrong = [tag("br") if changed else None, "plausible and wrong: ", tag("i", record.wrong)] if record.wrong else []
    return foreign("p", [*changed, *wrong], record.language, class_="edit")


def _window(window: Window, language: str) -> Html:
    body = [tag("mark", text) if is_quote else text for is_quote, text in window.pieces]
    kind = f"{window.modality} of " if window.modality != "text" else ""
    return tag(
        "div",
        tag("p", f"{kind}{window.uri}", class_="uri", dir="ltr"),
        foreign("blockquote", body, language),
        class_="evidence",
    )
