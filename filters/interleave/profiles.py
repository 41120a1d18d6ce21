"""Rules of published interleaved data sets, by name: which images stay, which documents, and whether sets merge.

Image rules read one row an image part: the columns of the images job, and PART_SIGNALS. Document rules read one row a
document: DOCUMENT_SIGNALS, and what the text job measured. What a data set measured with a model that does not ship
reads the column of a scorer that the user gives; `applicable` leaves such a rule out, and the manifest names it.

Words are those of `filters.segmentation`, so bounds of words hold where no spaces stand; overrides are the medians of
filters.rule_sets (words a page, en = 1: ja 1.2, ko 0.75).
"""

from dataclasses import dataclass

from filters.images import profiles as of_images
from filters.rules import Rule


@dataclass(frozen=True)
class Profile:
    """What a data set asks of images and of documents; the order of rules is the order in which they object."""

    images: tuple[Rule, ...]
    documents: tuple[Rule, ...]
    merges_image_sets: bool = False  # of documents with the same set of images one stays


def _no_words(name: str, kind: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(f"{name}/{place}_{kind}_word_count", f"{place}_{kind}_word_count", max=0) for place in ("path", "alt")
    )


def _first_only(name: str) -> Rule:
    return Rule(f"{name}/earlier_in_document_count", "earlier_in_document_count", max=0)


# Laurencon et al. 2023 (OBELICS), appendix A.1 and the configuration of its repository. Image: filters.images.profiles,
# words of the URL (here of the alt text as well), first of its kind in the document. Document: 1 to 30 images, all of
# it gone where one image is not safe (its own model: porn >= 0.85), 10 to 2,000 words, language score 0.8; of documents
# with one set of images one stays. Not here: rules of single paragraphs, of English stop words and of perplexity.
OBELICS_V1 = Profile(
    images=(
        *of_images.OBELICS_V1,
        *_no_words("obelics_v1", "decoration"),
        *_no_words("obelics_v1", "adult"),
        _first_only("obelics_v1"),
    ),
    documents=(
        Rule("obelics_v1/largest_nsfw_score", "largest_nsfw_score", max=0.85),
        Rule("obelics_v1/image_count", "image_count", min=1, max=30),
        Rule(
            "obelics_v1/word_count",
            "word_count",
            min=10,
            max=2000,
            overrides={"ja": (12, 2400), "ko": (8, 1500)},
        ),
        Rule("obelics_v1/language_score", "language_score", min=0.8),
    ),
    merges_image_sets=True,
)

# Zhu et al. 2023 (MMC4), section 3: words of the URL, one of equal images in a document, images of 150 px and more that
# are safe and like a sentence; documents without an image go. C4's rules are those of the text job.
MMC4_V1 = Profile(
    images=(
        Rule("mmc4_v1/is_web_format", "is_web_format", min=1),
        *of_images.MMC4_V1,
        *_no_words("mmc4_v1", "decoration"),
        _first_only("mmc4_v1"),
    ),
    documents=(Rule("mmc4_v1/image_count", "image_count", min=1),),
)

# Li et al. 2024 (OmniCorpus), section 3.2: an image of more than 10 documents goes, and what is not safe or not
# pleasing; documents without an image go. Its text filters are models.
OMNICORPUS_V1 = Profile(
    images=of_images.OMNICORPUS_V1,
    documents=(Rule("omnicorpus_v1/image_count", "image_count", min=1),),
)

# Alayrac et al. 2022 (Flamingo), appendix A.3.1: 64 px, aspect ratio 3, no single colour; documents without an image
# go. Its text rules are those of MassiveText: gopher_v1 of the text job.
M3W_V1 = Profile(
    images=of_images.M3W_V1,
    documents=(Rule("m3w_v1/image_count", "image_count", min=1),),
)

PROFILES: dict[str, Profile] = {
    "obelics_v1": OBELICS_V1,
    "mmc4_v1": MMC4_V1,
    "omnicorpus_v1": OMNICORPUS_V1,
    "m3w_v1": M3W_V1,
}
