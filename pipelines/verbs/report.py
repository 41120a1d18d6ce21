"""`corpusmill report`: one self-contained HTML page about what a run made."""

import argparse

from pipelines.verbs.common import Subparsers, add_output, add_verb

ALONE = ("crawl", "text", "images", "audio", "video", "code")  # a report may be of one of them
JOBS = (*ALONE, "interleave", "tokenizer", "tokens", "mixture", "instruct")


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "report",
        "Write the HTML report of the newest snapshots.",
        "corpusmill report --out corpus",
    )
    add_output(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from manifests.manifest import load_manifest, newest_version
    from pipelines.launcher import Launcher
    from pipelines.run import write_report

    launcher = Launcher(arguments.out)
    versions = {job: newest_version(launcher.store, job) for job in JOBS}
    if not any(versions[job] for job in ALONE):
        raise FileNotFoundError(
            f"{arguments.out} holds no snapshot of a crawl or a text job, and none of images, audio, video or code; "
            "run `corpusmill crawl`, `text`, `images`, `audio`, `video`, `code` or `run` first"
        )
    manifests = {job: load_manifest(launcher.store, job, version) for job, version in versions.items() if version}
    print(f"{arguments.out}/{write_report(launcher, manifests, again=True)}")
    return 0
