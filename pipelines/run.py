"""A recipe from start to end: its jobs in order, what they say, and the report."""

import json
from typing import Any

from manifests.manifest import Manifest
from pipelines.funnel import show_funnel
from pipelines.launcher import Launcher
from pipelines.recipe import Recipe


def run_recipe(recipe: Recipe, launcher: Launcher, *, plan_only: bool = False, report: bool = False) -> int:
    """Run the recipe's blocks and print where all of it lies; return the exit status."""
    from pipelines.text.job import TextJob

    text = TextJob(recipe, launcher)
    if plan_only:
        print(json.dumps(describe_plan(recipe, text), indent=2, ensure_ascii=False))
        return 0
    version, manifest, stood = text.run()
    say(launcher, "text", version, manifest, stood)
    manifests = {"text": manifest}
    if recipe.tokenizer is not None:
        from pipelines.tokenizer_job import TokenizerJob

        version, trained, stood = TokenizerJob(recipe.tokenizer, launcher).run(manifest)
        say(launcher, "tokenizer", version, trained, stood)
        manifests["tokenizer"] = trained
    if report:
        print(f"report: {launcher.store_uri}/{write_report(launcher, manifests)}")
    return 0


def say(launcher: Launcher, job: str, version: int, manifest: Manifest, stood: bool) -> None:
    """Print what a job came to."""
    state = "all done before: nothing to do" if stood else "committed"
    print(f"{job}: {state}, snapshot v{version:06d}, digest {manifest['digest']}")
    print(f"  {launcher.store_uri}/{job}/manifests/v{version:06d}.json")
    if "ledger" in manifest:
        print(show_funnel(manifest))


def describe_plan(recipe: Recipe, text: Any) -> dict[str, Any]:
    """Return the resolved job as JSON: settings, units and what is done of them."""
    planned = text.plan()
    store = text.launcher.store
    done = sum(store.size(each.task.marker) is not None for each in planned)
    return {
        "out": text.launcher.store_uri,
        "recipe": recipe.model_dump(mode="json", by_alias=True),
        "settings": text.described(),
        "units": {
            "count": len(planned),
            "staged_already": done,
            "names": [each.unit.name for each in planned],
        },
        "beam_options": list(text.launcher.beam_options),
        "workers": text.launcher.workers,
    }


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
