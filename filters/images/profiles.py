"""Rules of published data sets, by name. They read the columns of the image job, `needs` tells which are made where.

What a data set measured with a model that does not ship (CLIP, aesthetics, watermarks) reads the column of a scorer
that the user gives; `applicable` leaves such a rule out, and says so, where there is none.
"""

from collections.abc import Collection, Sequence

from filters.rules import Rule


def _sides(name: str, least_px: int, most_ratio: float, most_px: int | None = None) -> tuple[Rule, ...]:
    longest = () if most_px is None else (Rule(f"{name}/long_side_px", "long_side_px", max=most_px),)
    return (
        Rule(f"{name}/short_side_px", "short_side_px", min=least_px),
        *longest,
        Rule(f"{name}/aspect_ratio", "long_side_px", "short_side_px", max=most_ratio),
    )


# Gadre et al. 2023 (DataComp), section 3.2 and appendix; baselines/apply_filter.py: English by fastText, more than
# 2 words (by spaces) and 5 characters, shorter side >= 200 px, aspect ratio <= 3.
DATACOMP_BASIC_V1 = (
    Rule("datacomp_basic_v1/caption_is_english", "caption_is_english", min=1),
    Rule("datacomp_basic_v1/caption_word_count", "caption_word_count", min=3),
    Rule("datacomp_basic_v1/caption_char_count", "caption_char_count", min=6),
    *_sides("datacomp_basic_v1", 200, 3.0),
)

# Schuhmann et al. 2022 (LAION-5B), section 3.1: captions of 5 characters and images of 5 KB at least; CLIP B/32
# similarity 0.28 for English, M-CLIP 0.26 for others.
LAION_V1 = (
    Rule("laion_v1/caption_char_count", "caption_char_count", min=5),
    Rule("laion_v1/payload_bytes", "payload_bytes", min=5 * 1024),
    Rule("laion_v1/image_text_similarity", "image_text_similarity", min=0.26, overrides={"en": (0.28, None)}),
)

# Zhu et al. 2023 (MMC4), section 3: 150 px at least, aspect ratio 0.5 to 2, NSFW score at most 0.1, similarity with
# a sentence 0.15 at least.
MMC4_V1 = (
    *_sides("mmc4_v1", 150, 2.0),
    Rule("mmc4_v1/nsfw_score", "nsfw_score", max=0.1),
    Rule("mmc4_v1/image_text_similarity", "image_text_similarity", min=0.15),
)

# Laurencon et al. 2023 (OBELICS), appendix A.1.5 and the configuration of its repository: jpg, jpeg, png, webp; sides
# of 150 to 20,000 px; aspect ratio 0.5 to 2; an image seen more than 10 times in the corpus goes.
OBELICS_V1 = (
    Rule("obelics_v1/is_web_format", "is_web_format", min=1),
    *_sides("obelics_v1", 150, 2.0, 20_000),
    Rule("obelics_v1/occurrence_count", "occurrence_count", max=10),
)

# Li et al. 2024 (OmniCorpus), section 3.2: 150 px, aspect ratio 0.5 to 2, NSFW at most 0.8, aesthetic score 3.7 at
# least, seen at most 10 times.
OMNICORPUS_V1 = (
    *_sides("omnicorpus_v1", 150, 2.0),
    Rule("omnicorpus_v1/nsfw_score", "nsfw_score", max=0.8),
    Rule("omnicorpus_v1/aesthetic_score", "aesthetic_score", min=3.7),
    Rule("omnicorpus_v1/occurrence_count", "occurrence_count", max=10),
)

# Alayrac et al. 2022 (Flamingo), appendix A.3.1: 64 px, aspect ratio 3, no image of a single colour.
M3W_V1 = (
    *_sides("m3w_v1", 64, 3.0),
    Rule("m3w_v1/color_range", "color_range", min=1),
)

PROFILES: dict[str, tuple[Rule, ...]] = {
    "datacomp_basic_v1": DATACOMP_BASIC_V1,
    "laion_v1": LAION_V1,
    "mmc4_v1": MMC4_V1,
    "obelics_v1": OBELICS_V1,
    "omnicorpus_v1": OMNICORPUS_V1,
    "m3w_v1": M3W_V1,
}


def applicable(rules: Sequence[Rule], columns: Collection[str]) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """Return (rules whose columns are there, names of the others); order is kept."""
    there = tuple(rule for rule in rules if needs(rule) <= set(columns))
    return there, tuple(rule.name for rule in rules if rule not in there)


def needs(rule: Rule) -> set[str]:
    """Return the columns that a rule reads."""
    return {rule.numerator} | ({rule.per} if rule.per else set())
