"""The Python of docs/text.md runs, top to bottom, and says what the page says."""

import re
from pathlib import Path

from anyorder.models.grid_text.grid_tokens import token_names

PAGE = (Path(__file__).parent.parent / "docs" / "text.md").read_text()


def test_the_page_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(compile(block, "text.md", "exec"), names)
    room = 32 + 64
    assert f"torch.Size([1, {room + 4}]) tensor({room})" in capsys.readouterr().out, "two rooms, two marks of two tokens"
    written = names["written"]
    assert written.batch.values.shape[1] < names["grid"].values.shape[1] / 3
    assert bool((written.order.targets.sum(dim=1) > 0).all())


def test_the_number_of_tokens_is_the_pages():
    assert f"{len(token_names())} tokens are added" in PAGE
