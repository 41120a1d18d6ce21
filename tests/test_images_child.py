"""The guarded entry: every image is a record or a named fault, and the same bytes come out of any batch."""

import hashlib
import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from real_images import file_of, forensics_folder, noise, skimage_folder, small_photographs

from filters.guard import GuardedPool
from filters.images.child import FAILED, IMAGES, PAYLOADS, RECORDS, Settings, factory, produce
from filters.images.decode import ImageError
from filters.models import fetch_model

ENTRY = "filters.images.child:factory"
CONFIG = {"resize": {"mode": "keep_ratio", "size_px": 128}}


def batch_of(payloads: list[bytes | None]) -> pa.RecordBatch:
    count = len(payloads)
    names = [f"images:{k}.jpg" for k in range(count)]
    return pa.record_batch([names, ["image/jpeg"] * count, payloads], schema=IMAGES)


def mixed() -> list[bytes | None]:
    """Return images of many kinds, and files that are none."""
    broken = [small_photographs()[0][:9000], b"", None, b"GIF89a", (skimage_folder() / "truncated.jpg").read_bytes()]
    odd = [file_of(Image.new("RGBA", (9, 300)), "PNG"), file_of(Image.fromarray(noise(60, 60)), "WEBP")]
    return [*small_photographs()[:4], *broken, *odd, *(path.read_bytes() for path in sorted_pictures())]


def sorted_pictures():
    return sorted((forensics_folder() / "pic2").glob("*.jpg"))


@pytest.fixture(scope="module")
def outputs():
    with GuardedPool(ENTRY, CONFIG) as pool:
        found = pool.run(batch_of(mixed()))
    assert found.failures == []
    return found.outputs


def test_every_row_is_a_record_or_a_named_fault(outputs):
    records, payloads, failed = outputs["records"], outputs["payloads"], outputs["failed"]
    assert (records.schema, payloads.schema, failed.schema) == (RECORDS, PAYLOADS, FAILED)
    assert records["row"].to_pylist() == payloads["row"].to_pylist()
    assert sorted(records["row"].to_pylist() + failed["row"].to_pylist()) == list(range(len(mixed())))
    reasons = dict(zip(failed["row"].to_pylist(), failed["reason"].to_pylist(), strict=True))
    assert reasons == {
        4: "image_truncated",
        5: "empty_payload",
        6: "empty_payload",
        7: "image_unknown_format",
        8: "image_truncated",
    }


def test_a_record_describes_the_bytes_that_came_and_those_that_are_stored(outputs):
    for record, stored in zip(outputs["records"].to_pylist(), outputs["payloads"].to_pylist(), strict=True):
        came = mixed()[record["row"]]
        assert record["sha256"] == hashlib.sha256(came).digest()
        assert (record["payload_bytes"], record["stored_bytes"]) == (len(came), len(stored["bytes"]))
        assert record["stored_sha256"] == hashlib.sha256(stored["bytes"]).digest()
        with Image.open(io.BytesIO(stored["bytes"])) as image:
            assert image.size == (record["stored_width_px"], record["stored_height_px"])
            assert min(image.size) == 128
            assert "exif" not in image.info


def test_how_the_batch_was_cut_changes_no_byte(outputs):
    work = factory(CONFIG)
    payloads = mixed()
    alone = [work(batch_of([payload]), lambda _: None) for payload in payloads]
    for name in ("records", "payloads", "failed"):
        joined = pa.Table.from_batches([one[name] for one in alone]).drop(["row"])
        assert joined.combine_chunks().equals(pa.Table.from_batches([outputs[name]]).drop(["row"]))


def test_scores_faces_and_hashes_stand_in_the_records_when_they_are_asked_for():
    for model in ("open-nsfw.onnx", "face_detection_back.tflite"):
        fetch_model(model)
    config = {**CONFIG, "nsfw": True, "faces": "blur", "hashes": ["md5", "pdq"]}
    astronaut = (skimage_folder() / "astronaut.png").read_bytes()
    batch = batch_of([b"", astronaut])
    with GuardedPool(ENTRY, config) as pool:
        (found,) = pool.run(batch).outputs["records"].to_pylist()
    assert found["face_count"] == len(found["faces"]) == 1
    assert found["nsfw_score"] < 0.2
    assert found["md5"] == hashlib.md5(astronaut).digest()
    assert len(found["pdq"]) == 32
    assert list(found) == Settings.of(config).records.names


def test_blurring_changes_the_stored_image_and_not_the_hash_of_what_came():
    fetch_model("face_detection_back.tflite")
    astronaut = (skimage_folder() / "astronaut.png").read_bytes()
    shown, hidden = (produce(astronaut, Settings.of({"faces": faces})) for faces in ("find", "blur"))
    assert shown[1] != hidden[1]
    assert shown[0][:20] == hidden[0][:20]


def test_a_strip_that_would_grow_beyond_the_limits_is_named():
    strip = file_of(Image.new("L", (16_000, 1)), "PNG")
    with pytest.raises(ImageError) as fault:
        produce(strip, Settings.of({"resize": {"mode": "keep_ratio", "size_px": 256}}))
    assert (fault.value.reason, fault.value.observed) == ("image_side_too_long", 16_000 * 256)
    wide = file_of(Image.new("L", (16_384, 1)), "PNG")
    with pytest.raises(ImageError, match="of webp"):
        produce(wide, Settings.of({"resize": {"mode": "no"}, "encode": {"format": "webp"}}))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"faces": "yes"}, "no, find or blur"),
        ({"hashes": ["sha1"]}, "md5, pdq"),
        ({"resize": {"mode": "fit"}}, "resize mode"),
        ({"encode": {"format": "gif"}}, "gif"),
    ],
)
def test_a_wrong_setting_is_refused_before_any_image(config, message):
    with pytest.raises(ValueError, match=message):
        factory(config)


def test_a_bomb_costs_itself_and_little_memory():
    bomb = file_of(Image.new("1", (16_000, 16_000)), "PNG")
    assert len(bomb) < 64_000
    with GuardedPool(ENTRY, CONFIG) as pool:
        found = pool.run(batch_of([small_photographs()[0], bomb, small_photographs()[1]])).outputs
    assert found["records"]["row"].to_pylist() == [0, 2]
    (fault,) = found["failed"].to_pylist()
    assert (fault["reason"], fault["limit"], fault["observed"]) == ("image_too_many_pixels", 50_000_000, 256_000_000)
    assert np.frombuffer(found["payloads"]["bytes"][0].as_py()[:2], np.uint8).tolist() == [0xFF, 0xD8]
