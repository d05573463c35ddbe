"""The threat model in docs/security.md names every attack, and no test that does not exist."""

import re
from pathlib import Path

ATTACKS = Path(__file__).parent
ROOT = ATTACKS.parents[1]


def test_each_attack_is_in_the_threat_model() -> None:
    named = re.findall(r"`((?:tests/\S+/)?test_\w+\.py)`", (ROOT / "docs/security.md").read_text())
    files = {name if "/" in name else f"tests/attacks/{name}" for name in named}
    attacks = {f"tests/attacks/{file.name}" for file in ATTACKS.glob("test_*.py")}

    assert attacks - files <= {f"tests/attacks/{Path(__file__).name}"}
    assert [name for name in sorted(files) if not (ROOT / name).exists()] == []
