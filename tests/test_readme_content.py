"""What the README says is what the code does and what was stored."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_python_in_the_readme_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert "torch.Size([2, 605])" in capsys.readouterr().out, "5 words and 4 frames of 3 * 49 + 3 elements"


def test_the_table_of_results_is_that_of_the_stored_results():
    table = runpy.run_path(str(ROOT / "scripts" / "results_table.py"))["table"]
    stored = sorted((ROOT / "docs" / "results").glob("*.json"))
    assert len(stored) >= 6
    for row in table(stored).splitlines():
        assert row in README
