"""`corpusmill schema`: the JSON schema of a recipe, for editors."""

import argparse

from pipelines.verbs.common import Subparsers, add_verb


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers, "schema", "Print the JSON schema of a recipe.", "corpusmill schema > recipe.schema.json"
    )
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    import json

    from pipelines.recipe import recipe_schema

    print(json.dumps(recipe_schema(), indent=2))
    return 0
