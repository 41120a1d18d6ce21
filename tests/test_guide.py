"""The guide's commands run, in order, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "guide.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.S) for line in block.splitlines() if line]
RECIPE = re.findall(r"```yaml\n(.*?)```", GUIDE, re.S)[0]
RUN_AFTER = ("corpus/text/manifests/v000001.json", "recipe.schema.json")


@pytest.fixture(scope="module")
def ran(demo_input_dir, tmp_path_factory) -> list[tuple[str, subprocess.CompletedProcess[str]]]:
    """Run all commands of the guide in one folder."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "crawl").symlink_to(demo_input_dir)
    env = {**os.environ, "INPUT": str(demo_input_dir), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = []
    for command in COMMANDS:
        if "$URI" in command:
            env |= a_record(folder / "corpus")
        result = subprocess.run(
            command, shell=True, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
        )
        done.append((command, result))
    assert all((folder / name).exists() for name in RUN_AFTER)
    return done


def a_record(out: Path) -> dict[str, str]:
    import pyarrow.parquet as pq

    row = pq.read_table(next(out.glob("text/data/*.parquet")), columns=["id", "uri"]).to_pylist()[0]
    return {"URI": row["uri"], "ID": row["id"].hex()}


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=COMMANDS)
def test_the_command_works(ran, number):
    command, result = ran[number]
    assert result.returncode == 0, f"{command}\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    assert result.stdout.strip() or ">" in command


def test_every_verb_is_among_them():
    verbs = {command.split()[1] for command in COMMANDS}
    assert verbs == {"run", "text", "tokenizer", "verify", "inspect", "report", "schema"}
