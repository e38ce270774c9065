"""What a user can import, what importing costs, and which way the rooms import each other."""

import subprocess
import sys
from pathlib import Path

import pytest

import collapse_guard
from collapse_guard import errors

ROOT = Path(__file__).parents[1]
TRAINERS = ("pytorch_lightning", "lightning", "transformers.trainer", "trl")  # torchmetrics loads transformers itself

PUBLIC = [
    "Assessment",
    "CausalLMProbe",
    "CollapseGuard",
    "CollapseGuardError",
    "CollapseGuardWarning",
    "CollapsedError",
    "CorpusError",
    "EmbeddingProbe",
    "Evidence",
    "FingerprintMismatchError",
    "Generation",
    "GenerationTakenError",
    "Guard",
    "Indicator",
    "InputError",
    "LineageError",
    "LineageNotFoundError",
    "Losses",
    "Margin",
    "Mixture",
    "Policy",
    "PolicyError",
    "Probe",
    "ReinjectionDataModule",
    "Severity",
    "StoreUnreachableError",
    "Verdict",
    "WildType",
    "WildTypeError",
    "__version__",
    "assess",
    "open_store",
    "read_documents",
    "read_evidence",
    "read_samples",
    "register",
]


def test_the_public_names_are_pinned_and_each_can_be_imported():
    assert sorted(collapse_guard.__all__) == sorted(PUBLIC)
    for name in PUBLIC:
        assert getattr(collapse_guard, name) is not None


def test_an_unknown_name_lists_the_public_ones():
    with pytest.raises(AttributeError, match=r"public names: .*WildType"):
        collapse_guard.WildTyp  # noqa: B018


def test_every_exception_and_warning_can_be_imported_from_the_top():
    raised = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert len(raised) > 10
    for name in raised:
        assert getattr(collapse_guard, name) is getattr(errors, name)


def loaded(statement, modules):
    """Which of the modules a fresh process has loaded after a statement."""
    code = f"import sys; {statement}; print(*[name for name in {modules} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    "module", ["collapse_guard", *(f"collapse_guard.{room}" for room in ("store", "cli", "indicators"))]
)
def test_importing_it_loads_neither_lightning_nor_mlflow_nor_torch(module):
    assert loaded(f"import {module}", ("torch", *TRAINERS, "mlflow")) == []


@pytest.mark.slow
def test_a_gate_loads_nothing_that_measures_or_draws():
    code = "import collapse_guard.cli.commands.gate, collapse_guard.cli.generations, collapse_guard.cli.verdicts"
    assert loaded(code, ("torch", "matplotlib", "scipy", "sklearn", "pandas")) == []


@pytest.mark.slow
def test_a_wild_type_is_loaded_without_what_only_fits_one():
    assert loaded("import collapse_guard.wildtype", ("torch", "matplotlib", "sklearn", "pandas")) == []


@pytest.mark.slow
def test_probes_and_contracts_load_no_trainer_no_mlflow_and_no_test_runner():
    code = "from collapse_guard import EmbeddingProbe; from collapse_guard.probes import CausalLMProbe, Probe"
    code += "; import collapse_guard.testing"
    assert loaded(code, ("torch", *TRAINERS, "mlflow", "pytest", "hypothesis")) == ["torch"]


@pytest.mark.slow
def test_a_shell_whose_trainer_is_not_installed_says_how_to_install_it():
    code = """
import importlib, sys, torchmetrics
sys.modules["transformers"] = None
for room in ("transformers", "trl"):
    try:
        importlib.import_module(f"collapse_guard.{room}")
    except ImportError as error:
        print(error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = out.stdout.splitlines()
    assert 'transformers is not installed: pip install "collapse-guard[transformers]"' in first
    assert 'transformers is not installed: pip install "collapse-guard[transformers]"' in second


def test_the_rooms_import_one_way():
    out = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert out.returncode == 0, out.stdout


def test_nothing_pickles():
    forbidden = ("import pickle", "torch.load(", "joblib", "np.load(", "allow_pickle=True", "cloudpickle")
    for path in (ROOT / "src").rglob("*.py"):
        found = [word for word in forbidden if word in path.read_text(encoding="utf-8")]
        assert not found, f"{path.name}: {found}"


def test_no_public_name_is_hidden_by_a_room_of_the_same_name():
    rooms = {path.stem for path in (ROOT / "src" / "collapse_guard").iterdir()}
    assert not rooms & set(PUBLIC)
