"""`corpusmill crawl`: seeds and sitemaps to WARC files."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "crawl",
        "Fetch pages or media, politely, into WARC files.",
        "corpusmill crawl https://a.example/ --contact you@a.example --out corpus --set crawl.max_pages=500",
    )
    verb.add_argument(
        "seed", nargs="+", metavar="SEED", help="URL, sitemap URL, or a file of URLs: text, CSV, JSONL, Parquet"
    )
    verb.add_argument(
        "--contact",
        required=True,
        metavar="PAGE_OR_MAIL",
        help="where the owner of a site can reach you; it is sent with every request",
    )
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from pipelines.recipe import crawl_recipe
    from pipelines.run import run_recipe

    recipe = crawl_recipe(arguments.seed, arguments.contact, overrides(arguments))
    return run_recipe(recipe, launcher(arguments), plan_only=arguments.plan, only="crawl")
