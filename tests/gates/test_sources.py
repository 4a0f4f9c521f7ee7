"""What no linter looks for: the size of files, tools that nobody may use, and mocks."""

from __future__ import annotations

import ast
import sys

LINES = 400
LONG = 200
MOCKS = {"mock", "unittest.mock", "pytest_mock", "asynctest", "flexmock", "freezegun", "time_machine"}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "builtins.eval", "builtins.exec", "torch.load", "numpy.load", "np.load", "yaml.load",
    "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen", "os.execv", "subprocess.getoutput",
    "asyncio.create_subprocess_shell", "pandas.read_pickle",
}  # fmt: skip
FORBIDDEN_KEYWORDS = {"trust_remote_code": True, "shell": True, "weights_only": False, "allow_pickle": True}
PATCHES = {"setattr", "delattr", "setitem", "delitem"}


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def imported(tree):
    """Every module that a file names in an import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_file_is_long_and_few_are_over_half_of_that(everything):
    sizes = {source.name: source.lines for source in everything if not source.name.startswith("tests/")}
    long = sorted((lines, name) for name, lines in sizes.items() if lines > LONG)
    listing = "\n".join(f"{lines:5} {name}" for lines, name in long)
    sys.stdout.write(f"over {LONG} lines:\n{listing}\n")  # pytest shows it with -rP
    assert [name for lines, name in long if lines > LINES] == []
    assert len(long) < len(sizes) / 5, listing


def test_there_is_no_mock_library(everything):
    found = {source.name: {*imported(source.tree)} & MOCKS for source in everything}
    assert {name: mocks for name, mocks in found.items() if mocks} == {}


def test_nothing_of_ours_is_patched(tests):
    found = [
        f"{source.name}:{call.lineno}"
        for source in tests
        for call in source.calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in PATCHES
        and "monkeypatch" in dotted(call.func)
        and dotted(call.args[0]) != "sys"
        # Environment, working directory and the standard streams are the machine's.
    ]
    assert found == []


def test_no_module_or_class_of_ours_is_written_to_from_outside(tests):
    found = []
    for source in tests:
        ours = {
            alias.asname or alias.name
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tendred")
            for alias in node.names
        }
        for node in ast.walk(source.tree):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names = [dotted(target) for target in targets if isinstance(target, ast.Attribute)]
            found += [f"{source.name}:{node.lineno} {name}" for name in names if name.partition(".")[0] in ours]
    assert found == []


def test_nothing_runs_what_somebody_else_wrote(package):
    found = []
    for source in package:
        found += [f"{source.name}: import {name}" for name in {*imported(source.tree)} & PICKLES]
        for call in source.calls():
            name = dotted(call.func)
            if name in FORBIDDEN_CALLS:
                found.append(f"{source.name}:{call.lineno} {name}")
            for keyword in call.keywords:
                bad = FORBIDDEN_KEYWORDS.get(keyword.arg)
                if bad is not None and isinstance(keyword.value, ast.Constant) and keyword.value.value is bad:
                    found.append(f"{source.name}:{call.lineno} {keyword.arg}={bad}")
    assert found == []


def test_every_loader_of_models_stays_on_this_machine(package):
    """`from_pretrained` would otherwise ask a hub for what it doesn't find."""
    loaders = [
        (source.name, call)
        for source in package
        if not source.name.startswith("tendred/testing/")
        for call in source.calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"from_pretrained", "from_single_file"}
    ]
    assert loaders
    for name, call in loaders:
        said = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
        assert said.get("local_files_only") is True, f"{name}:{call.lineno}"
        assert said.get("use_safetensors") is True or "Tokenizer" in dotted(call.func), f"{name}:{call.lineno}"
