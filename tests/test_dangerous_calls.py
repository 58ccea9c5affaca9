"""What no line of ours may call, since it runs, or may run, whatever a stranger's file says."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "sequela"
MODULES = sorted(SOURCE.rglob("*.py"))

FORBIDDEN_IMPORTS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {
    ("torch", "load"),
    ("yaml", "load"),
    ("yaml", "load_all"),
    ("yaml", "full_load"),
    ("yaml", "unsafe_load"),
    ("os", "system"),
    ("os", "popen"),
}
FORBIDDEN_METHODS = {"extractall", "unpack_archive"}
FORBIDDEN_TRUE = {"shell", "allow_pickle", "trust_remote_code"}

OWNERS: dict[str, set[str]] = {"models/conversion.py": {"pickle", "torch.load"}}
"""Module (as `room/file.py`) to the findings it alone may have, since it owns the danger."""


def offences(tree: ast.AST) -> Iterator[str]:
    """Each forbidden thing in the tree, by name."""
    called = {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.asname
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from _imports(alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from _imports([module])
                yield from (
                    f"{module}.{alias.name}"
                    for alias in names
                    if (module, alias.name) in FORBIDDEN_ATTRIBUTES
                )
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_NAMES:
                yield name
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if (
                called.get(owner, owner),
                attribute,
            ) in FORBIDDEN_ATTRIBUTES:
                yield f"{called.get(owner, owner)}.{attribute}"
            case ast.Attribute(attr=attribute) if attribute in FORBIDDEN_METHODS:
                yield attribute
            case ast.keyword(arg=str(name), value=value) if name in FORBIDDEN_TRUE:
                if not (isinstance(value, ast.Constant) and value.value is False):
                    yield f"{name}=True"


def _imports(names: Iterator[str] | list[str]) -> Iterator[str]:
    yield from (name for name in names if name.partition(".")[0] in FORBIDDEN_IMPORTS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_calls_nothing_that_runs_what_a_file_says(path):
    found = set(offences(ast.parse(path.read_text(encoding="utf-8"))))
    assert found <= OWNERS.get(str(path.relative_to(SOURCE)), set())


def test_whoever_owns_a_danger_still_has_it():
    for module, owned in OWNERS.items():
        assert owned <= set(offences(ast.parse((SOURCE / module).read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import pickle", "pickle"),
        ("import joblib.memory", "joblib.memory"),
        ("from pickle import loads", "pickle"),
        ("from torch import load", "torch.load"),
        ("torch.load(path, weights_only=True)", "torch.load"),
        ("import torch as t\nt.load(path)", "torch.load"),
        ("from joblib import load", "joblib"),
        ("tarfile.open(path).extractall()", "extractall"),
        ("yaml.load(text, Loader=yaml.SafeLoader)", "yaml.load"),
        ("eval(text)", "eval"),
        ("exec(text)", "exec"),
        ("archive.extractall(folder)", "extractall"),
        ("subprocess.run(words, shell=True)", "shell=True"),
        ("np.load(path, allow_pickle=flag)", "allow_pickle=True"),
        ("AutoModel.from_pretrained(name, trust_remote_code=True)", "trust_remote_code=True"),
    ],
)
def test_each_danger_is_seen(code, name):
    assert list(offences(ast.parse(code))) == [name]


@pytest.mark.parametrize(
    "code", ["model.eval()", "np.load(path, allow_pickle=False)", "yaml.safe_load(text)"]
)
def test_the_harmless_namesakes_pass(code):
    assert list(offences(ast.parse(code))) == []
