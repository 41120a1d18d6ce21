"""A recipe from start to end: its jobs in order, what they say, and the report."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from manifests.manifest import Manifest
from pipelines.crawl.block import Name
from pipelines.funnel import show_funnel
from pipelines.launcher import Launcher
from pipelines.recipe import Recipe

if TYPE_CHECKING:
    from pipelines.audio.job import AudioJob
    from pipelines.crawl.job import CrawlJob
    from pipelines.images.job import ImagesJob
    from pipelines.repositories.job import CodeJob
    from pipelines.video.job import VideoJob


def run_recipe(
    recipe: Recipe, launcher: Launcher, *, plan_only: bool = False, report: bool = False, only: str | None = None
) -> int:
    """Run the recipe's blocks, or only the job `only`, and print where all of it lies; return the exit status."""
    if plan_only:
        print(json.dumps(describe_plan(recipe, launcher, only=only), indent=2, ensure_ascii=False))
        return 0
    manifests: dict[str, Manifest] = {}
    for job, run in _blocks(recipe, launcher, manifests, only=only):
        version, manifests[job], stood = run()
        say(launcher, job, version, manifests[job], stood)
        if job == "instruct" and recipe.instruct is not None and recipe.instruct.audit:
            audited(launcher, version, manifests[job])
    if report:
        print(f"report: {launcher.store_uri}/{write_report(launcher, manifests)}")
    return 0


def _blocks(
    recipe: Recipe, launcher: Launcher, done: dict[str, Manifest], *, only: str | None
) -> Iterator[tuple[str, Callable[[], tuple[int, Manifest, bool]]]]:
    """Yield the recipe's jobs in order; `done` holds the manifests of those before."""
    if recipe.crawl is not None:
        yield "crawl", _crawl_job(recipe, launcher).run
    if only in (None, "text"):
        from pipelines.text.job import TextJob

        yield "text", TextJob(recipe, launcher, done.get("crawl")).run
    if recipe.images is not None and only in (None, "images"):
        yield "images", _images_job(recipe, launcher, done.get("crawl"), done.get("text")).run
    if recipe.audio is not None and only in (None, "audio"):
        yield "audio", _audio_job(recipe, launcher, done.get("crawl")).run
    if recipe.video is not None and only in (None, "video"):
        yield "video", _video_job(recipe, launcher, done.get("crawl")).run
    if recipe.code is not None and only in (None, "code"):
        yield "code", _code_job(recipe, launcher).run
    if recipe.interleave is not None and only is None:
        from pipelines.interleave.job import InterleaveJob

        yield "interleave", InterleaveJob(recipe.interleave, recipe.limits(), launcher).run
    if recipe.instruct is not None and only is None:
        from pipelines.instruct.job import InstructJob

        yield "instruct", InstructJob(recipe.instruct, recipe.limits(), launcher).run
    if recipe.tokenizer is not None and only is None:
        from pipelines.tokenizer_job import TokenizerJob

        job = TokenizerJob(recipe.tokenizer, launcher)
        yield "tokenizer", lambda: job.run(done)
    if recipe.encode is not None and only is None:
        from pipelines.tokens.job import EncodeJob

        yield "tokens", EncodeJob(recipe.encode, recipe.limits(), launcher).run
    if recipe.mixture is not None and only is None:
        from pipelines.mixture.job import MixtureJob

        yield "mixture", MixtureJob(recipe.mixture, launcher).run


def audited(launcher: Launcher, version: int, manifest: Manifest) -> None:
    """Have the auditor look at instruction sets that it has not seen, and say what it found then or before."""
    from manifests.store import open_store
    from pipelines.instruct.audit import audit, audit_name, load_audit, outcome

    store = open_store(launcher.store_uri)
    found = load_audit(store, manifest)
    if found is None:
        print(audit(store, version))
    else:
        print(f"audited before: {outcome(found)}; the table is in {launcher.store_uri}/{audit_name(manifest)}")


def _crawl_job(recipe: Recipe, launcher: Launcher) -> "CrawlJob":
    from pipelines.crawl.job import CrawlJob

    assert recipe.crawl is not None
    return CrawlJob(recipe.crawl, recipe.crawl_limits(), recipe.limits(), launcher)


def _images_job(
    recipe: Recipe, launcher: Launcher, crawled: Manifest | None, text: Manifest | None = None
) -> "ImagesJob":
    from pipelines.images.job import ImagesJob

    assert recipe.images is not None
    return ImagesJob(
        recipe.images,
        recipe.inputs_of("images"),
        recipe.limits(),
        recipe.media_limits(),
        launcher,
        _brought(recipe, "image", crawled),
        recipe.opt_out,
        text,
    )


def _audio_job(recipe: Recipe, launcher: Launcher, crawled: Manifest | None) -> "AudioJob":
    from pipelines.audio.job import AudioJob

    assert recipe.audio is not None
    return AudioJob(
        recipe.audio,
        recipe.inputs_of("audio"),
        recipe.limits(),
        recipe.audio_limits(),
        launcher,
        _brought(recipe, "audio", crawled),
        recipe.opt_out,
    )


def _video_job(recipe: Recipe, launcher: Launcher, crawled: Manifest | None) -> "VideoJob":
    from pipelines.video.job import VideoJob

    assert recipe.video is not None
    return VideoJob(
        recipe.video,
        recipe.inputs_of("video"),
        recipe.limits(),
        recipe.video_limits(),
        launcher,
        _brought(recipe, "video", crawled),
        recipe.opt_out,
    )


def _code_job(recipe: Recipe, launcher: Launcher) -> "CodeJob":
    from pipelines.repositories.job import CodeJob

    assert recipe.code is not None
    return CodeJob(
        recipe.code, recipe.inputs_of("code"), recipe.limits(), recipe.code_limits(), launcher, recipe.opt_out
    )


def _brought(recipe: Recipe, kind: Name, crawled: Manifest | None) -> Manifest | None:
    """Return the crawl's snapshot where it fetches media of that kind; elsewhere its files hold none."""
    return crawled if recipe.crawl is not None and kind in recipe.crawl.kinds else None


def say(launcher: Launcher, job: str, version: int, manifest: Manifest, stood: bool) -> None:
    """Print what a job came to."""
    state = "all done before: nothing to do" if stood else "committed"
    print(f"{job}: {state}, snapshot v{version:06d}, digest {manifest['digest']}")
    print(f"  {launcher.store_uri}/{job}/manifests/v{version:06d}.json")
    if "ledger" in manifest:
        print(show_funnel(manifest))


def describe_plan(recipe: Recipe, launcher: Launcher, *, only: str | None = None) -> dict[str, Any]:
    """Return the resolved job as JSON: settings, units and what is done of them."""
    plan: dict[str, Any] = {
        "out": launcher.store_uri,
        "recipe": recipe.model_dump(mode="json", by_alias=True),
        "beam_options": list(launcher.beam_options),
        "workers": launcher.workers,
    }
    crawled = None
    if recipe.crawl is not None:
        job = _crawl_job(recipe, launcher)
        plan["crawl"], crawled = job.plan(), job.newest()
    if recipe.images is not None:
        images = _images_job(recipe, launcher, crawled)
        names = [each.unit.name for each in images.plan()]
        plan["images"] = {"settings": images.described(), "units": {"count": len(names), "names": names}}
    if recipe.audio is not None:
        audio = _audio_job(recipe, launcher, crawled)
        names = [each.unit.name for each in audio.plan()]
        plan["audio"] = {"settings": audio.described(), "units": {"count": len(names), "names": names}}
    if recipe.video is not None:
        video = _video_job(recipe, launcher, crawled)
        names = [each.unit.name for each in video.plan()]
        plan["video"] = {"settings": video.described(), "units": {"count": len(names), "names": names}}
    if recipe.code is not None:
        code = _code_job(recipe, launcher)
        names = [each.unit.name for each in code.plan()]
        plan["code"] = {"settings": code.described(), "units": {"count": len(names), "names": names}}
    if only not in (None, "text"):
        return plan
    from pipelines.text.job import TextJob

    text = TextJob(recipe, launcher, crawled)
    planned = text.plan()
    done = sum(launcher.store.size(each.task.marker) is not None for each in planned)
    units = {"count": len(planned), "staged_already": done, "names": [each.unit.name for each in planned]}
    return plan | {"settings": text.described(), "units": units}


def write_report(launcher: Launcher, manifests: dict[str, Manifest], *, again: bool = False) -> str:
    """Write the report page of these snapshots unless it stands, and return its name."""
    digests = "-".join(manifest["digest"][:8] for manifest in manifests.values())
    name = f"report/report-{digests}.html"
    if again:
        launcher.store.delete(name)
    if launcher.store.size(name) is None:
        from pipelines.report import build_report

        launcher.store.put_new(name, build_report(launcher.store, manifests))
    return name
