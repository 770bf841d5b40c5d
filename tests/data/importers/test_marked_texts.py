"""Conversations in one text, as templates of models write them: with marks, with instructions in brackets, with names."""

import json

import pytest
from chat_files import read_chats

from anyorder.data.importers.chats.reading import WrongLine, format_of
from anyorder.errors import AnyOrderError

BRIEF = "A chat between a curious user and an artificial intelligence assistant. The assistant gives polite answers."
CALL = '<tool_call>\n{"name": "weigh", "arguments": {"fruit": "plum"}}\n</tool_call>'
CALLS = '[{"name": "weigh", "arguments": {"fruit": "plum"}, "id": "abc"}]'
FOUR = ["a", "b", "c", "d"]
TEXTS = {
    "llama 2": ("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\na [/INST] b </s><s>[INST] c [/INST] d </s>", ["Be brief.", *FOUR]),
    "no system": ("[INST] <<SYS>>\n\n<</SYS>>\n\na [/INST] b", ["a", "b"]),
    "two systems": (
        "[INST] <<SYS>>s<</SYS>> a [/INST] b </s>[INST] <<SYS>>\nt\n<</SYS>>c [/INST] d",
        ["s", "a", "b", "t\nuser: c", "d"],
    ),
    "mistral": ("<s>[INST] a [/INST]b</s>[INST] c [/INST]d</s>", FOUR),
    "no ends": ("[INST]a[/INST]b[INST]c[/INST]d", FOUR),
    "unicode": ("[INST] 梅は？ [/INST] 三十グラム🍑\n\nはい [INST] c [/INST] d", ["梅は？", "三十グラム🍑\n\nはい", "c", "d"]),
    "empty answer": ("[INST] a [/INST] </s><s>[INST] c [/INST] d", ["a", "", "c", "d"]),
    "open prompt": ("[INST] a [/INST] b </s>[INST] c [/INST]", ["a", "b", "c"]),
    "cut off": ("[INST] a [/INST] b </s>[INST] c and the", ["a", "b", "c and the"]),
    "tools": (
        f"<s>[SYSTEM_PROMPT] s[/SYSTEM_PROMPT][AVAILABLE_TOOLS] [][/AVAILABLE_TOOLS][INST] a[/INST]b[TOOL_CALLS] {CALLS}</s>"
        '[TOOL_RESULTS] {"content": 30, "call_id": "abc"}[/TOOL_RESULTS] d</s>',
        ["s", "Tools: []", "a", f"b\n{CALL}", "30", "d"],
    ),
    "newer tools": (
        '[INST]a[/INST][TOOL_CALLS]weigh[CALL_ID]x[ARGS]{"fruit": "plum"}</s>'
        "[TOOL_RESULTS]x[TOOL_CONTENT]30 g[/TOOL_RESULTS]d</s>",
        ["a", CALL, "30 g", "d"],
    ),
    "a tool's text": (f"[INST]a[/INST][TOOL_CALLS]{CALLS}[TOOL_RESULTS]30 g[/TOOL_RESULTS]d", ["a", CALL, "30 g", "d"]),
    "vicuna": (f"{BRIEF} USER: a ASSISTANT: b</s>USER: c ASSISTANT: d</s>", [BRIEF, *FOUR]),
    "vicuna, no ends": (f"{BRIEF} USER: a ASSISTANT: b USER: c ASSISTANT:", [BRIEF, "a", "b", "c"]),
    "vicuna, no system": ("USER: a ASSISTANT: b\n\nb</s>\nUSER: c ASSISTANT: d</s>", ["a", "b\n\nb", "c", "d"]),
    "vicuna, empty": (
        f"<s>{BRIEF}\nUSER: <image>\nÄh? ASSISTANT:</s>USER: c ASSISTANT: d",
        [BRIEF, "<image>\nÄh?", "", "c", "d"],
    ),
    "chatml, no ends": ("<|im_start|>system\ns<|im_start|>user\na<|im_start|>assistant\nb", ["s", "a", "b"]),
    "chatml, empty": ("<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\nb<|im_end|>", ["", "b"]),
    "phi 4": ("<|im_start|>user<|im_sep|>a<|im_end|><|im_start|>assistant<|im_sep|>b<|im_end|>", ["a", "b"]),
    "llama 3, no ends": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\ns<|start_header_id|>user<|end_header_id|>\n\na"
        "<|start_header_id|>assistant<|end_header_id|>\n\nb",
        ["s", "a", "b"],
    ),
    "llama 3, tools": (
        "<|start_header_id|>user<|end_header_id|>\n\na<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nb<|eom_id|>"
        "<|start_header_id|>ipython<|end_header_id|>\n\nc<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nd<|eot_id|>",
        FOUR,
    ),
    "llama 4": (
        "<|begin_of_text|><|header_start|>user<|header_end|>\n\na<|eot|><|header_start|>assistant<|header_end|>\n\nb<|eot|>",
        ["a", "b"],
    ),
}


@pytest.mark.parametrize("key", ["text", "prompt", "conversation"])
@pytest.mark.parametrize("name", TEXTS)
def test_every_template_in_every_column(tmp_path, name, key):
    text, said = TEXTS[name]
    (found,) = read_chats(tmp_path, {key: text, "source": "x"})
    assert not isinstance(found, WrongLine), found.reason
    assert [turn.text for turn in found.turns] == said
    assert json.loads(found.others)["line"] == {"source": "x"}


PAIRS = [
    ("<s>[INST] a [/INST]", " b </s>", ["a", "b"]),
    ("[INST] a", "b", ["[INST] a", "b"]),
    ("<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n", "b<|im_end|>", ["s", "a", "b"]),
    ("<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n", "b", ["s", "a", "b"]),
    ("<|im_start|>user\na<|im_end|>", "b", ["a", "b"]),
    ("Which of these?\nHuman: a\nAssistant: b", "b", ["Which of these?\nHuman: a\nAssistant: b", "b"]),
]


@pytest.mark.parametrize(("prompt", "answer", "said"), PAIRS)
def test_a_prompt_that_a_template_has_written(tmp_path, prompt, answer, said):
    (found,) = read_chats(tmp_path, {"prompt": prompt, "completion": answer, "score": 1})
    assert [turn.text for turn in found.turns] == said and json.loads(found.others)["line"] == {"score": 1}


REFUSED = [
    ("[INST] a [INST] b [/INST] c", r"expected \[/INST\] after each \[INST\] of a text, found \[INST\] after 'a'"),
    ("[SYSTEM_PROMPT] s [INST] b [/INST] c", r"expected \[/SYSTEM_PROMPT\] .*, found \[INST\] after 's'"),
    ("[INST] a [/INST] b [TOOL_RESULTS] c", r"expected \[/TOOL_RESULTS\] .*, found the end of the text after 'c'"),
    ("[INST] <<SYS>> s a [/INST] b", "expected <</SYS>> after each <<SYS>> of a text"),
    ("[INST] a [/INST] b </s> c", r"expected a tag such as \[INST\] after </s>, found 'c'"),
    ("Llama reads [INST] a [/INST] b.", r"found text \(a text\)"),
    ("[INST] a", r"found text \(a text\)"),
    ("The keys are USER: a ASSISTANT: b", r"found text \(a text\)"),
    (f"{BRIEF} USER: a USER: b ASSISTANT: c", r"found text \(a text\)"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_texts_in_which_nobody_knows_who_speaks_are_refused(tmp_path, text, message):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": text}))
    with pytest.raises(AnyOrderError, match=f"a.jsonl, line 1: .*{message}"):
        format_of(path)
