"""`make peers` compares: what a client must see of a sample, and that it tells when it saw something else."""

import io
from pathlib import Path

import pytest
from export_world import World, world
from PIL import Image

from benchmarks import read_back
from benchmarks.read_back import CHECKS, Check, chosen, own_python, pixels, sha, verdict


@pytest.fixture(scope="module")
def there(tmp_path_factory) -> World:
    return world(tmp_path_factory.mktemp("read-back"))


def own(job):
    return Check("webdataset", "webdataset", own_python, job, "energon", read_back.all_fields)


def root(there) -> Path:
    return Path(there.store.uri)


def test_the_webdataset_of_this_environment_sees_all_that_was_committed(there):
    samples = list(there.samples["media"].items())
    assert verdict(own("media"), root(there), samples) == (40, "")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda samples: samples[1:], id="a sample more than was committed"),
        pytest.param(lambda samples: [*samples, ("f" * 32, {"txt": b""})], id="a sample less"),
        pytest.param(lambda samples: [(samples[0][0], {"txt": b"x"}), *samples[1:]], id="other bytes"),
    ],
)
def test_a_client_that_sees_something_else_is_told(there, change):
    compared, different = verdict(own("media"), root(there), change(list(there.samples["media"].items())))
    assert different
    assert compared in (39, 40, 41)


def test_a_client_that_fails_is_no_verdict(there):
    broken = Check("litdata", "litdata", own_python, "media", "litdata", read_back.all_fields)
    with pytest.raises(RuntimeError, match="No module named 'litdata'"):
        verdict(broken, root(there), [])


def test_pictures_are_compared_by_their_pixels():
    def encoded(format_name, colour):
        file = io.BytesIO()
        Image.new("RGB", (3, 2), colour).save(file, format_name)
        return file.getvalue()

    assert pixels(encoded("PNG", "red")) == pixels(encoded("BMP", "red"))
    assert pixels(encoded("PNG", "red")) != pixels(encoded("PNG", "blue"))


def test_a_field_that_a_sample_lacks_is_not_expected():
    assert chosen("txt", "ogg")({"txt": b"a", "json": b"{}"}) == {"txt": sha(b"a")}


def test_every_format_is_read_by_a_client():
    assert {check.format.partition("-")[0] for check in CHECKS} == {
        ".bin/.idx", "arrayrecord", "croissant", "energon", "hf", "litdata", "mds"
    }  # fmt: skip
