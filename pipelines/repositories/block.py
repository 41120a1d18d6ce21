"""The `code` block of a recipe."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.recipe_block import Block, wrong
from pipelines.recipe_errors import nearest
from pipelines.text.block import Bounds, Decontaminate, Fraction, Shards

LicenseClass = Literal["permissive", "weak_copyleft", "copyleft", "restricted", "unknown", "none"]


class Licenses(Block):
    """Which licences stay. A file's own notice counts before its folder's; vendored folders stand for themselves."""

    keep: Annotated[tuple[LicenseClass, ...], Field(min_length=1)] = ("permissive", "none")
    treat_as: Annotated[Mapping[str, LicenseClass], Field(description="SPDX identifier -> the class it counts as")] = {}


class OptOut(Block):
    """Repositories and owners that are not read at all; names as "owner/name", in any case of letters."""

    repositories: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    files: Annotated[tuple[str, ...], Field(description="lists, a line each: owner/name, or owner alone")] = ()


class CodeNear(Block):
    """Near-duplicates, as in the text block; the defaults are near The Stack v2's (5-grams, Jaccard 0.7)."""

    bands: Annotated[int, Field(ge=1, le=256)] = 25
    rows: Annotated[int, Field(ge=1, le=64)] = 10
    ngram: Annotated[int, Field(ge=1, le=64)] = 5
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.7


class CodeDedup(Block):
    """Of copies that one stays whose licence is freest, then with most stars, then with the smallest id."""

    exact: bool = True
    near: CodeNear | None = CodeNear()


class Pack(Block):
    """Repository documents beside the files: StarCoder2's tokens, imports first, holes to fill by a keyed hash."""

    fim_fraction: Annotated[Fraction, Field(description="files with a hole to fill")] = 0.5
    spm_fraction: Annotated[Fraction, Field(description="of those, with the suffix first")] = 0.5
    bare_fraction: Annotated[Fraction, Field(description="repositories without names of files")] = 0.5
    max_chars: Annotated[int, Field(ge=1000, description="of one document; a file is never cut")] = 1 << 20


class Code(Block):
    """Repositories, archives and rows of source code into documents."""

    layout: Annotated[
        Literal["auto", "repository", "folders"],
        Field(description="of a folder: one repository, or one in each folder below; auto: by what lies at its top"),
    ] = "auto"
    revision: Annotated[
        str | None, Field(description="of bare git repositories: branch, tag or commit; null: HEAD")
    ] = None
    languages: Annotated[
        tuple[str, ...] | Literal["all"], Field(description="all, or the names (GitHub Linguist's) that are kept")
    ] = "all"
    ambiguous: Annotated[
        Literal["magika"] | None,
        Field(description="the model that is asked where names and Linguist's rules leave several languages or none"),
    ] = "magika"
    rules: Annotated[tuple[str, ...], Field(description="rule sets, in the order in which they object")] = (
        "starcoder2_v1",
        "source_v1",
        "issues_v1",
    )
    thresholds: Annotated[Mapping[str, Bounds], Field(description="rule -> new bounds")] = {}
    licenses: Licenses = Licenses()
    opt_out: OptOut = OptOut()
    mask: Annotated[
        tuple[Literal["secret", "email", "ip", "name"], ...], Field(description="what a token of its class replaces")
    ] = ("secret", "email", "ip", "name")
    dedup: CodeDedup = CodeDedup()
    decontaminate: Decontaminate | None = None
    pack: Pack | None = Pack()
    shards: Annotated[Shards, Field(description="files of the output; auto: by the size of the input")] = "auto"
    dropped_text_sample: Annotated[Fraction, Field(description="share of what is dropped, stored with text")] = 0.02
    max_quarantined_fraction: Annotated[
        Fraction, Field(description="of all members that were read; more, and nothing is committed")
    ] = 0.05

    @model_validator(mode="after")
    def _known_rules(self) -> "Code":
        sets = code_rule_names()
        for i, name in enumerate(self.rules):
            if name not in sets:
                raise wrong(("rules", i), f"no rule set of code is called {name}; {nearest(name, sets)}")
            if name in self.rules[:i]:
                raise wrong(("rules", i), f"{name} stands here twice")
        rules = [rule for name in self.rules for rule in sets[name]]
        for name in self.thresholds:
            if name not in rules:
                raise wrong(("thresholds", name), f"no rule in use is called {name}; {nearest(name, rules)}")
        return self

    def threshold_bounds(self) -> dict[str, dict[str, float | None]]:
        """Return rule -> the bounds that the recipe gives, as filters.rules.with_thresholds takes them."""
        return {name: bounds.model_dump(exclude_unset=True) for name, bounds in self.thresholds.items()}


def code_rule_names() -> dict[str, list[str]]:
    """Return rule set -> the names of its rules, in order."""
    from filters.code.rule_sets import CODE_RULE_SETS

    return {name: [rule.name for rule in rules] for name, rules in CODE_RULE_SETS.items()}
