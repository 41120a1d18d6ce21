"""Where a recipe's values stand in its file, and what to say when one of them is wrong."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from pipelines.recipe_block import masked

Path = tuple[str | int, ...]  # ("inputs", 0, "uri")


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong; `line` counts from 1, 0 = not from the file (the command line)."""

    line: int
    field: str
    message: str


class RecipeError(ValueError):
    """A recipe that cannot be run; the text has one line for each problem: `file:line: field: problem`."""

    is_usage = True  # exit status 2

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(self._line(problem) for problem in self.problems))

    def _line(self, problem: Problem) -> str:
        place = f"{self.file}:{problem.line}" if problem.line else "command line"
        return ": ".join(part for part in (place, problem.field, problem.message) if part)


@dataclass
class Source:
    """A recipe as plain data, with the line of every key and list item."""

    file: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """Return the line of the deepest part of `path` that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def put(self, path: Path, value: Any) -> None:
        """Set the value at `path`, as the command line wants it; an item of a list goes by its `name`."""
        block: Any = self.data
        place: Path = ()
        for step in path[:-1]:
            if isinstance(block, dict) and not isinstance(block.get(step), dict | list):
                block[step] = {}
                self.lines[(*place, step)] = 0
            key = self._key(block, step, path)
            block, place = block[key], (*place, key)
        last = self._key(block, path[-1], path)
        place = (*place, last)
        self.lines = {known: line for known, line in self.lines.items() if known[: len(place)] != place}
        self.lines[place] = 0
        block[last] = value

    def _key(self, block: Any, step: str | int, path: Path) -> str | int:
        if isinstance(block, dict):
            return step
        for i, item in enumerate(block):
            if isinstance(item, dict) and item.get("name") == step:
                return i
        raise RecipeError(self.file, [Problem(0, dotted(path), f"nothing in the list is called {step}")])

    def error(self, path: Path, message: str) -> RecipeError:
        return RecipeError(self.file, [Problem(self.line(path), dotted(path), message)])


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the scalar rules of YAML 1.2: `no` is Norwegian, 010 is ten, 1e3 is a number."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
_SCALARS: Mapping[str, Any] = {
    "null": lambda text: None,
    "bool": lambda text: text == "true",
    "int": int,
    "float": float,
    "str": str,
}


def dotted(path: Path) -> str:
    """Write a path as a reader would: `inputs[0].uri`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def read_yaml(file: str, content: bytes) -> Source:
    """Read one YAML document; duplicate keys, anchors and own tags are refused by name and line."""
    source = Source(file)
    try:
        loader = _Loader(content.decode("utf-8-sig"))
        _refuse_aliases(source, content)
        node = loader.get_single_node()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RecipeError(file, [Problem(line, "", "the file is not UTF-8 text")]) from error
    except yaml.MarkedYAMLError as error:
        raise RecipeError(file, [_yaml_problem(error)]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(file, [Problem(1, "", f"not readable as YAML: {error}")]) from error
    source.data = {} if node is None else _plain(source, node, ())
    if not isinstance(source.data, dict):
        raise source.error((), "a recipe is a list of blocks, `corpusmill: 1` first")
    return source


def _refuse_aliases(source: Source, content: bytes) -> None:
    for event in yaml.parse(content.decode("utf-8-sig"), Loader=_Loader):
        if getattr(event, "anchor", None):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise RecipeError(source.file, [Problem(line, "", "anchors and aliases (& and *) are not read")])


def _yaml_problem(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context
    return Problem(mark.line + 1 if mark else 1, "", f"not readable as YAML: {what}")


def _plain(source: Source, node: yaml.Node, path: Path) -> Any:
    source.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _plain_mapping(source, node, path)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(source, item, (*path, i)) for i, item in enumerate(node.value)]
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind not in _SCALARS:
        raise source.error(path, f"the tag {node.tag} is not read")
    try:
        return _SCALARS[kind](node.value)
    except ValueError as error:
        raise source.error(path, f"{node.value[:40]!r} is not a number that can be read") from error


def _plain_mapping(source: Source, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for key, value in node.value:
        here = (*path, str(key.value))
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise RecipeError(source.file, [Problem(line, dotted(path), "a key is one word")])
        if key.value in block:
            message = f"given twice, first on line {source.lines[here]}"
            raise RecipeError(source.file, [Problem(line, dotted(here), message)])
        source.lines[here] = line
        block[key.value] = _plain(source, value, here)
    return block


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, or list them where none is near."""
    names = sorted(known)
    short = {each.rpartition("/")[2]: each for each in names}
    near = difflib.get_close_matches(name, names, 1) or difflib.get_close_matches(name, short, 1)
    if near:
        return f"did you mean {short.get(near[0], near[0])}?"
    return f"known: {', '.join(names[:12])}{' ...' if len(names) > 12 else ''}"


def explain(source: Source, model: type[BaseModel], errors: Sequence[Mapping[str, Any]]) -> RecipeError:
    """Turn pydantic's errors into lines that name file, line and field."""
    problems = set()
    for error in errors:
        if error["type"] == "too_short" and error["input"]:
            continue  # its items are wrong, which is said of each of them
        path = (*_in_file(source.data, error["loc"]), *error.get("ctx", {}).get("at", ()))
        problems.add(Problem(source.line(path), dotted(path), _message(model, path, error)))
    return RecipeError(source.file, problems)


def _in_file(data: Any, location: Path) -> Path:
    """Leave out the steps of pydantic's location that name a branch of a union instead of a key."""
    path: list[str | int] = []
    for n, step in enumerate(location):
        if isinstance(data, dict) and (step in data or n == len(location) - 1):
            data = data.get(str(step))
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            continue
        path.append(step)
    return tuple(path)


def _message(model: type[BaseModel], path: Path, error: Mapping[str, Any]) -> str:
    kind, given = error["type"], masked(json.dumps(error["input"], ensure_ascii=False, default=str))
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return f"unknown key; {_where_it_belongs(model, path)}"
    if kind == "too_short":
        return "must not be empty"
    branch = str(error["loc"][-1]) if error["loc"] else ""
    if " or " in branch and not kind.startswith(("greater", "less")):
        return f"must be {branch}; got {given}"
    if kind == "literal_error" and isinstance(error["input"], str):
        choices = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        return f"{given} is not known; {nearest(error['input'], choices)}"
    if "at" in error.get("ctx", {}) or not error["msg"].startswith("Input should"):
        return str(error["msg"]).removeprefix("Value error, ")
    message = str(error["msg"]).replace("Input should", "must").replace("valid array", "list")
    return f"{message.replace('an object', 'a block')}; got {given if len(given) <= 60 else given[:57] + '...'}"


def _where_it_belongs(model: type[BaseModel], path: Path) -> str:
    name = str(path[-1])
    if elsewhere := [dotted(each) for each in _all_paths(model) if each[-1] == name]:
        return f"it belongs at {' or '.join(elsewhere)}"
    block = _block_at(model, path[:-1])
    return nearest(name, _fields(block) if block else ())


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _block_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _block_in(part))), None)


def _block_at(model: type[BaseModel] | None, path: Path) -> type[BaseModel] | None:
    for step in path:
        if model and step in (fields := _fields(model)):
            model = _block_in(fields[str(step)])
    return model


def _all_paths(model: type[BaseModel], path: Path = ()) -> list[Path]:
    found: list[Path] = []
    for name, annotation in _fields(model).items():
        found.append((*path, name))
        if block := _block_in(annotation):
            found.extend(_all_paths(block, (*path, name)))
    return found
