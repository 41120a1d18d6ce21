"""Published thresholds for speech as rules over the columns of `filters.audio.child` RECORDS and FILES."""

from collections.abc import Collection, Sequence

from filters.rules import Rule

# Records without enough speech in them; what keeps music out where files are taken whole.
SPEECH_V1 = (
    Rule("speech_v1/speech_fraction", "speech_frames", "frames", min=0.3),
    Rule("speech_v1/clipped_fraction", "clipped_frames", "frames", max=0.01),
    Rule("speech_v1/silent_fraction", "silent_frames", "frames", max=0.5),
    Rule("speech_v1/cut_short", "cut_short", max=0),  # the file ends before its own structure says
)
# He et al. 2024 (Emilia), section 3.4 and its pipeline's defaults: 3 to 30 s, DNSMOS P.835 OVRL of 3.0 at least, the
# recogniser's probability of the spoken language above 0.8 (a score of exactly 0.8 stays here).
EMILIA_V1 = (
    Rule("emilia_v1/duration_s", "duration_s", min=3.0, max=30.0),
    Rule("emilia_v1/spoken_language_score", "spoken_language_score", min=0.8),
    Rule("emilia_v1/dnsmos_overall", "dnsmos_overall", min=3.0),
)
# NeMo Speech Data Processor's recipe for Granary: 0.1 to 40 s; a spoken language that is 0.7 likely (there over seven
# pieces of a file, here of the record itself).
GRANARY_V1 = (
    Rule("granary_v1/duration_s", "duration_s", min=0.1, max=40.0),
    Rule("granary_v1/spoken_language_score", "spoken_language_score", min=0.7),
)
# NeMo Curator 1.4, audio: silero segments of 2 to 60 s; at least 8 kHz wide would be its ALM's rule at 48 kHz.
NEMO_CURATOR_V1 = (Rule("nemo_curator_v1/duration_s", "duration_s", min=2.0, max=60.0),)

# Records with a transcript that can be one. Text language score of 0.3 at least: NeMo Speech Data Processor (Granary);
# at most 40 characters a second: NeMo Curator's sign of a recogniser that repeats itself.
TRANSCRIBED_V1 = (
    Rule("transcribed_v1/char_count", "transcript_char_count", min=1),
    Rule("transcribed_v1/language_score", "transcript_language_score", min=0.3),
    Rule("transcribed_v1/chars_per_second", "transcript_char_count", "duration_s", max=40.0),
)

PROFILES: dict[str, tuple[Rule, ...]] = {
    "speech_v1": SPEECH_V1,
    "emilia_v1": EMILIA_V1,
    "granary_v1": GRANARY_V1,
    "nemo_curator_v1": NEMO_CURATOR_V1,
    "transcribed_v1": TRANSCRIBED_V1,
}
# A file of which nothing was made: judged on FILES, so that music has a reason to be dropped for.
FILE_RULES = (Rule("speech_v1/segments", "segments", min=1),)
SCORED_BY = {  # column -> scorer
    "dnsmos_overall": "dnsmos",
    "dnsmos_signal": "dnsmos",
    "dnsmos_background": "dnsmos",
    "spoken_language_score": "transcriber",
}


def applicable(rules: Sequence[Rule], scorers: Collection[str]) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """Return (rules that have what they read, names of those whose scorer is off); order is kept."""
    there = tuple(rule for rule in rules if SCORED_BY.get(rule.numerator, "") in {"", *scorers})
    return there, tuple(rule.name for rule in rules if rule not in there)
