"""Hooks of `mkdocs build`: a page of the API for every room, and one that lists the public names.

Found from the files of the package, so that a new module or public name has its page without anyone adding it.
Pages are read in the repository too: a link to a file outside the documentation is relative, and is mended here.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

REPOSITORY = "https://github.com/collapse-guard/collapse-guard/blob/main"
PACKAGE = Path(__file__).parents[1] / "src" / "collapse_guard"
ROOMS = {
    "assessment": "Assess",
    "evidence": "Evidence",
    "records": "Records",
    "corpus": "Corpus",
    "wildtype": "Wild type",
    "indicators": "Indicators",
    "measurement": "Measurement",
    "comparison": "Comparison",
    "decision": "Decision",
    "prescription": "Prescription",
    "genetics": "Genetics",
    "worlds": "Worlds",
    "reinjection": "Re-injection",
    "lineage": "Lineage",
    "store": "Store",
    "report": "Report",
    "probes": "Probes",
    "guard": "Guard",
    "lightning": "Lightning",
    "transformers": "Hugging Face",
    "trl": "TRL",
    "fabric": "Fabric",
    "testing": "Testing",
    "errors": "Errors",
}
"""Room -> title, in reading order."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the pages to the entry "API" of the navigation."""
    pages: list[Any] = [{"Public names": "api/index.md"}]
    pages += [{title: _entries(room)} for room, title in ROOMS.items()]
    config.nav = [*(config.nav or []), {"API": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages themselves."""
    files.append(File.generated(config, "api/index.md", content=_public_names()))
    for name in (name for room in ROOMS for name in _modules(room)):
        files.append(File.generated(config, _page(name), content=_api(name)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to files outside the documentation, such as `../tests/`, to the repository."""
    return markdown.replace("](../", f"]({REPOSITORY}/")


def _api(name: str) -> str:
    """A page of all that a module defines; what it only re-exports has its place elsewhere."""
    members = [member for member in map(_defined, _tree(name).body) if member and not member.startswith("_")]
    return f"# {name}\n\n::: collapse_guard.{name}\n    options:\n      members: {json.dumps(members or False)}\n"


def _defined(node: ast.stmt) -> str:
    """The name that a statement of a module defines; empty for others."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return node.name
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return target.id if isinstance(target, ast.Name) else ""


def _entries(room: str) -> Any:
    names = _modules(room)
    if len(names) == 1:
        return _page(names[0])
    return [{name.removeprefix(f"{room}."): _page(name)} for name in names]


def _modules(room: str) -> list[str]:
    """Names of the modules of a room, without the package: "comparison", "comparison.paired"."""
    home = PACKAGE.joinpath(*room.split("."))
    if home.with_suffix(".py").exists():
        return [room]
    paths = home.rglob("*.py")
    names = (path.parent if path.stem == "__init__" else path.with_suffix("") for path in paths)
    return sorted(".".join(name.relative_to(PACKAGE).parts) for name in names)


def _page(name: str) -> str:
    return f"api/{name}.md"


def _public_names() -> str:
    lines = [
        "# Public names",
        "",
        "What `from collapse_guard import ...` gives. Names are loaded when they are first used.",
        "",
        "| name | what it is |",
        "|---|---|",
    ]
    lines += [f"| [`{name}`][collapse_guard.{where}.{name}] | {what} |" for name, where, what in _public()]
    return "\n".join(lines) + "\n"


def _public() -> Iterator[tuple[str, str, str]]:
    """Name, module that defines it and first line of its docstring, of each public name."""
    homes = next(node for node in _tree("").body if isinstance(node, ast.Assign) and _defined(node) == "_HOMES")
    for name, room in ast.literal_eval(homes.value).items():
        module, node = _definition(name, room)
        yield name, module, (ast.get_docstring(node) or "").split("\n")[0]


def _definition(name: str, room: str) -> tuple[str, ast.ClassDef | ast.FunctionDef]:
    for module in _modules(room):
        for node in _tree(module).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
                return module, node
    raise LookupError(f"no module of the room {room!r} defines the public name {name!r}")


def _tree(name: str) -> ast.Module:
    path = PACKAGE.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))
