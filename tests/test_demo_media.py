"""The demo's media: samples of real packages, by hash, and what belongs together stays together."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import demo_media
from pipelines.demo_code import SOURCES
from pipelines.demo_input import fetch_package
from pipelines.demo_media import MEDIA, media_folder, sampled, stem_of
from pipelines.recipe import load_recipe

PATHS = st.lists(st.text("ab/._", min_size=1, max_size=8), unique=True)


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        pytest.param("animals/birds/hen.png", "animals/birds/hen", id="a picture"),
        pytest.param("animals/birds/hen_desc.ogg", "animals/birds/hen", id="its caption, spoken"),
        pytest.param("animals/birds/hen_desc_pt_BR.ogg", "animals/birds/hen", id="in a language of a country"),
        pytest.param("ru_RU_f_IvrvoiceRU/vm-intro.gsm", "ru_RU_f_IvrvoiceRU/vm-intro", id="a prompt"),
        pytest.param("README", "README", id="no suffix"),
    ],
)
def test_stem_of(path, stem):
    assert stem_of(path) == stem


@given(PATHS, st.integers(0, 9), st.randoms())
def test_a_sample_depends_on_names_alone_and_cuts_none_apart(paths, count, chance: random.Random):
    chosen = sampled(paths, count)
    chance.shuffle(paths)
    assert sampled(paths, count) == chosen == sorted(chosen)
    stems = {stem_of(path) for path in chosen}
    assert len(stems) == min(count, len({stem_of(path) for path in paths}))
    assert chosen == sorted(path for path in paths if stem_of(path) in stems)


@given(PATHS, st.integers(0, 9))
def test_a_larger_sample_holds_the_smaller_one(paths, count):
    assert set(sampled(paths, count)) <= set(sampled(paths, count + 1))


def test_every_sample_is_a_part_of_its_package_byte_for_byte():
    for media in MEDIA:
        package = fetch_package(media.package)
        whole = media_folder(media, package, "all")
        small = media_folder(media, package, "small")
        files = [path for path in small.rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert path.read_bytes() == (whole / path.relative_to(small)).read_bytes()


def test_the_stamps_sample_has_pictures_captions_and_what_says_them():
    media = next(each for each in MEDIA if each.name == "stamps")
    folder = media_folder(media, fetch_package(media.package), "small")
    kinds = Counter(path.suffix for path in folder.rglob("*.*"))
    assert min(kinds[".png"], kinds[".txt"]) > 4 and kinds[".ogg"] > 40


def test_a_sample_is_made_once(monkeypatch):
    media = next(each for each in MEDIA if each.name == "prompts-ru")
    package = fetch_package(media.package)
    first = media_folder(media, package, "small")
    monkeypatch.setattr(demo_media, "_copy", None)
    assert media_folder(media, package, "small") == first


def test_the_recipe_has_these_inputs_and_text_reads_none_of_them():
    from importlib.resources import files

    recipe = load_recipe(str(files("recipes").joinpath("demo.yaml")))
    assert {each.name for each in recipe.inputs} >= {*(media.name for media in MEDIA), SOURCES}
    assert {each.name for each in recipe.inputs_of("text")}.isdisjoint({*(media.name for media in MEDIA), SOURCES})
    assert [each.name for each in recipe.inputs_of("video")] == ["films"]
    assert [each.name for each in recipe.inputs_of("code")] == [SOURCES]
