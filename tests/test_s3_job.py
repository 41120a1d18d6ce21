"""The whole text job with its output in an S3 store on loopback: the same digest, and a kill costs nothing."""

import os
from collections.abc import Iterator

import jobs
import pytest
from moto.server import ThreadedMotoServer

from manifests.manifest import load_manifest, newest_version
from manifests.reader import Reader
from manifests.store import open_store
from manifests.verify import verify

ARGUMENTS = ("--quiet", "--workers", "2", "--set", "text.shards=2")


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    """Give the environment in which s3://corpus is a bucket on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    env = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = dict(os.environ)
    os.environ.update(env)
    import boto3

    boto3.client("s3").create_bucket(Bucket="corpus")
    yield env
    os.environ.clear()
    os.environ.update(before)
    server.stop()


def test_a_job_killed_halfway_ends_in_s3_with_the_digest_of_a_local_run(bucket, demo_input_dir, tmp_path):
    out = "s3://corpus/run"
    store = open_store(out)
    process = jobs.start("text", demo_input_dir, "--out", out, *ARGUMENTS, env=bucket)
    assert jobs.wait_for(lambda: any(name.endswith("done.json") for name, _ in store.list("text/staged")), process)
    jobs.kill(process)
    jobs.run("text", demo_input_dir, "--out", out, *ARGUMENTS, env=bucket)
    jobs.run("text", demo_input_dir, "--out", tmp_path, *ARGUMENTS)
    manifest = load_manifest(store, "text", newest_version(store, "text"))
    assert manifest["digest"] == jobs.digest(tmp_path)
    assert verify(store, "text").is_sound
    read = sum(batch.num_rows for batch in Reader(store, manifest).batches())
    assert read == jobs.funnel(tmp_path)["kept"]
