"""Break the deciding code in small ways, one at a time, and count how many of these mutants the tests notice.

Run `make mutants`, or `make mutants MUTANTS="collapse_guard.decision.alerts*"` for a part. What is mutated, and which
tests judge it, stands under `[tool.mutmut]` in pyproject.toml. Survivors are listed; `.venv/bin/mutmut show NAME`
prints one. Fails where less than 85% are killed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

MUTMUT = Path(sys.executable).with_name("mutmut")
NEEDED = 0.85
KILLED = frozenset({"killed", "timeout", "segfault"})
"""A mutant that never ends, or crashes, is noticed as well."""
NOT_JUDGED = frozenset({"not checked", "skipped"})


def main() -> int:
    """0 where enough of the mutants are killed, else 1."""
    shutil.rmtree("mutants", ignore_errors=True)  # results of other tests
    subprocess.run([MUTMUT, "run", *sys.argv[1:]], check=True)  # noqa: S603
    statuses = results()
    print("\n".join(sorted(f"{name}: {status}" for name, status in statuses.items() if status not in KILLED)))
    print("\n".join(table(statuses)))
    return int(killed_share(statuses.values()) < NEEDED)


def results() -> dict[str, str]:
    """Mutant -> what became of it."""
    listing = subprocess.run([MUTMUT, "results", "--all", "true"], check=True, capture_output=True, text=True).stdout  # noqa: S603
    pairs = (line.strip().rsplit(": ", 1) for line in listing.splitlines() if ": " in line)
    return {name: status for name, status in pairs if status not in NOT_JUDGED}


def table(statuses: dict[str, str]) -> list[str]:
    """The share that is killed, by module, in Markdown."""
    by_module = defaultdict[str, list[str]](list)
    for name, status in statuses.items():
        module, _ = name.rsplit(".", 1)
        by_module[module.removeprefix("collapse_guard.")].append(status)
    by_module = dict(sorted(by_module.items())) | {"all": list(statuses.values())}
    rows = [f"| `{name}` | {len(several):,} | {killed_share(several):.1%} |" for name, several in by_module.items()]
    return ["| module | mutants | killed |", "|---|---:|---:|", *rows]


def killed_share(statuses: Iterable[str]) -> float:
    """Share of the mutants that the tests noticed."""
    counts = Counter(status in KILLED for status in statuses)
    return counts[True] / max(1, counts.total())


if __name__ == "__main__":
    sys.exit(main())
