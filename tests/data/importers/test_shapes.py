"""Lines, turns and texts of the shapes in which agents' episodes are stored all become the same trajectories."""

import json

import pytest
from chat_files import read_chats, turns_of

from anyorder.data.importers.chats.reading import WrongLine, format_of
from anyorder.errors import AnyOrderError

ARGUMENTS = {"fruit": "plum"}
CALL = '<tool_call>\n{"name": "weigh", "arguments": {"fruit": "plum"}}\n</tool_call>'
THOUGHT = "<think>\nI weigh it.\n</think>"
EPISODE = ["Heavy?", f"{THOUGHT}\n{CALL}", "30 g", "No."]


def user(text, **keys):
    return {"role": "user", "content": text, **keys}


def agent(text, **keys):
    return {"role": "assistant", "content": text, **keys}


LANGCHAIN = [
    {"type": "human", "data": {"content": "Heavy?", "type": "human"}},
    {"type": "ai", "data": {"content": "", "reasoning": "I weigh it.", "tool_calls": [{"name": "weigh", "args": ARGUMENTS}]}},
    {"type": "tool", "data": {"content": "30 g", "name": "weigh", "tool_call_id": "1"}},
    {"type": "ai", "data": {"content": "No."}},
]
CLASSES = {"human": "HumanMessage", "ai": "AIMessageChunk", "tool": "ToolMessage"}
RESPONSES = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "I weigh it."}], "content": []},
    {"type": "function_call", "id": "fc_1", "call_id": "c_1", "name": "weigh", "arguments": json.dumps(ARGUMENTS)},
    {"type": "function_call_output", "call_id": "c_1", "output": "30 g"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "No."}]},
]
ANTHROPIC = [
    user("Heavy?"),
    agent(
        [
            {"type": "thinking", "thinking": "I weigh it.", "signature": "x"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "tool_use", "id": "1", "name": "weigh", "input": ARGUMENTS},
        ]
    ),
    user([{"type": "tool_result", "tool_use_id": "1", "content": "30 g"}]),
    agent("No."),
]
GEMINI = [
    {"role": "user", "parts": [{"text": "Heavy?"}]},
    {
        "role": "model",
        "parts": [{"text": "I weigh it.", "thought": True}, {"functionCall": {"name": "weigh", "args": ARGUMENTS}}],
    },
    {"role": "user", "parts": [{"functionResponse": {"name": "weigh", "response": "30 g"}}]},
    {"role": "model", "parts": [{"text": "No."}]},
]
HARMONY = [
    user("Heavy?"),
    agent("I weigh it.", channel="analysis"),
    agent(json.dumps(ARGUMENTS), channel="commentary", recipient="functions.weigh"),
    {"role": "tool", "name": "functions.weigh", "content": "30 g"},
    agent("No.", channel="final"),
]
HARMONY_TEXT = (
    "<|start|>user<|message|>Heavy?<|end|><|start|>assistant<|channel|>analysis<|message|>I weigh it.<|end|>"
    '<|start|>assistant<|channel|>commentary to=functions.weigh <|constrain|>json<|message|>{"fruit": "plum"}<|call|>'
    "<|start|>functions.weigh to=assistant<|channel|>commentary<|message|>30 g<|end|>"
    "<|start|>assistant<|channel|>final<|message|>No.<|return|>"
)
OPENHANDS = [
    {"id": 0, "source": "user", "action": "message", "args": {"content": "Heavy?"}, "message": "Heavy?"},
    {"id": 1, "source": "agent", "action": "weigh", "args": {"fruit": "plum", "thought": "I weigh it."}, "message": "..."},
    {"id": 2, "source": "agent", "observation": "weigh", "content": "30 g", "cause": 1},
    {"id": 3, "source": "agent", "action": "message", "args": {"content": "No."}},
]
STEP = {"thought": "I weigh it.", "action": {"name": "weigh", "arguments": ARGUMENTS}, "observation": "30 g"}
SAID = json.dumps({"name": "weigh", "arguments": ARGUMENTS})
SHAREGPT = [
    {"from": "human", "value": "Heavy?"},
    {"from": "thought", "value": "I weigh it."},
    {"from": "function_call", "value": SAID},
    {"from": "observation", "value": "30 g"},
    {"from": "gpt", "value": "No."},
]
OPENAI = [
    user("Heavy?"),
    agent(
        None,
        reasoning="I weigh it.",
        tool_calls=[{"id": "1", "function": {"name": "weigh", "arguments": json.dumps(ARGUMENTS)}}],
    ),
    {"role": "tool", "tool_call_id": "1", "content": "30 g"},
    agent("No."),
]
EPISODES = {
    "openai": {"messages": OPENAI},
    "last answer beside": {"messages": OPENAI[:-1], "response": "No."},
    "last message beside": {"prompt": OPENAI[:-1], "completion": [agent("No.")]},
    "of a request": {"custom_id": "1", "body": {"model": "x", "messages": OPENAI}},
    "nested": {"conversation": {"messages": OPENAI}},
    "a list": OPENAI,
    "anthropic": {"messages": ANTHROPIC},
    "gemini": {"contents": GEMINI},
    "responses": {"input": [user("Heavy?"), *RESPONSES]},
    "responses with output": {"input": "Heavy?", "output": RESPONSES},
    "harmony": {"messages": HARMONY},
    "harmony's text": {"text": HARMONY_TEXT},
    "langchain": {"messages": LANGCHAIN},
    "langchain's classes": {
        "messages": [{"lc": 1, "id": ["langchain", CLASSES[one["type"]]], "kwargs": one["data"]} for one in LANGCHAIN]
    },
    "langchain, flat": {"messages": [one["data"] | {"type": one["type"]} for one in LANGCHAIN]},
    "openhands": {"history": OPENHANDS},
    "steps": {"task": "Heavy?", "trajectory": [STEP, {"action": "No."}]},
    "steps with inputs": {
        "question": "Heavy?",
        "steps": [
            {"thought": "I weigh it.", "action": "weigh", "action_input": ARGUMENTS, "observation": "30 g"},
            {"action": "No."},
        ],
    },
    "sharegpt": {"conversations": SHAREGPT},
}


@pytest.mark.parametrize("name", EPISODES)
def test_one_episode_in_every_shape(tmp_path, name):
    (found,) = read_chats(tmp_path, EPISODES[name])
    assert not isinstance(found, WrongLine), found.reason
    assert [turn.text for turn in found.turns] == EPISODE
    assert [turn.part for turn in found.turns] == ["mission", "action", "observation", "action"]


def test_an_observation_that_comes_before_its_action(tmp_path):
    steps = [{"observation": "a room", "action": "north", "reward": 0}, {"observation": "a hall", "action": "stay", "loss": 0}]
    (found,) = read_chats(tmp_path, {"goal": "Go.", "steps": steps})
    assert turns_of(found) == [
        ("mission", "Go.", False),
        ("observation", "a room", True),
        ("action", "north", True),
        ("observation", "a hall", True),
        ("action", "stay", False),
    ]
    assert json.loads(found.others)["turns"] == {"2": {"reward": 0}}


def test_the_history_of_a_trajectory_file_is_what_was_said(tmp_path):
    """As SWE-agent writes: what the agent thinks stands in its content, too, and counts once."""
    history = [
        {"role": "system", "content": "You fix bugs.", "agent": "main"},
        {"role": "user", "content": "Fix it."},
        {"role": "assistant", "content": "I look.\n```\nls\n```", "thought": "I look.", "action": "ls"},
        {"role": "user", "content": "a.py"},
        {"role": "assistant", "content": "submit"},
    ]
    line = {"trajectory": [{"action": "ls", "observation": "a.py"}], "history": history, "info": {}}
    (found,) = read_chats(tmp_path, line)
    assert [turn.text for turn in found.turns] == [one["content"] for one in history]
    assert {"trajectory", "info"} <= json.loads(found.others)["line"].keys()


GLAIVE = (
    'USER: a\n\n\nASSISTANT: <functioncall> {"name": "f", "arguments": \'{}\'} <|endoftext|>\n\n\n'
    "FUNCTION RESPONSE: {}\n\n\nASSISTANT: d <|endoftext|>\n\n\n"
)
FOUR = ["a", "b", "c", "d"]
SINGLE = [
    ({"instruction": "a", "input": "b", "output": "c"}, ["a\nb", "c"]),
    ({"instruction": "c", "input": "", "output": "d", "history": [["a", "b"]]}, FOUR),
    ({"prompt": "a", "completion": "b"}, ["a", "b"]),
    ({"prompt": "a", "response": "b", "system": "s"}, ["s", "a", "b"]),
    ({"question": "a", "answer": "b", "reasoning": "r"}, ["a", "<think>\nr\n</think>\nb"]),
    (
        {"query": "a", "tools": "[]", "answers": json.dumps([{"name": "weigh", "arguments": ARGUMENTS}] * 2)},
        ["a", f"{CALL}\n{CALL}"],
    ),
    ({"history": [["a", "b"], ["c", "d"]]}, FOUR),
    ({"history": [[None, "b"], ["c", "d"]]}, FOUR[1:]),
    ({"data": FOUR}, FOUR),
    ({"conversation": [{"human": "a", "assistant": "b"}, {"human": "c", "assistant": "d"}]}, FOUR),
    ({"conversation": [{"system": "s", "input": "a", "output": "b"}, {"input": "c", "output": "d"}]}, ["s", *FOUR]),
    ({"dialogue": [{"speaker": "User", "text": "a"}, {"speaker": "Agent", "text": "b"}]}, ["a", "b"]),
    ({"text": "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>assistant\n"}, ["a", "b"]),
    ({"text": "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb"}, ["s", "a", "b"]),
    (
        {
            "text": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\na<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nb<|eot_id|>"
        },
        ["a", "b"],
    ),
    ({"text": "<bos><start_of_turn>user\na<end_of_turn>\n<start_of_turn>model\nb<end_of_turn>\n"}, ["a", "b"]),
    ({"text": "<|user|>\na</s>\n<|assistant|>\nb</s>"}, ["a", "b"]),
    ({"text": "### Human: a### Assistant: b"}, ["a", "b"]),
    ({"text": "Below is a task.\n\n### Instruction:\na\n\n### Response:\nb"}, ["Below is a task.", "a", "b"]),
    ({"text": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d"}, FOUR),
    (
        {"system": "SYSTEM: s", "chat": GLAIVE},
        ["SYSTEM: s", "a", '<functioncall> {"name": "f", "arguments": \'{}\'}', "{}", "d"],
    ),
]


@pytest.mark.parametrize(("line", "texts"), SINGLE)
def test_pairs_and_texts(tmp_path, line, texts):
    (found,) = read_chats(tmp_path, line)
    assert not isinstance(found, WrongLine), found.reason
    assert [turn.text for turn in found.turns] == texts


REFUSED = [
    ({"input": 3, "output": [{"type": "message", "role": "assistant", "content": "a"}]}, r"found input \(3\), output"),
    ({"steps": ["Peel it.", "Eat it."]}, r"found steps \(a list\)"),
    ({"text": "<|im_start|>user\na<|im_end|> lost <|im_start|>assistant\nb<|im_end|>"}, r"found text \(a text\)"),
    (
        {"prompt": "p", "chosen": "a", "rejected": "b"},
        "a preference between two answers; keep .* `jq -c '{prompt, answer: .chosen}'",
    ),
    ({"chosen": [user("p")], "rejected": [user("p")]}, "a preference between two answers; .* `jq -c '{messages: .chosen}'"),
    (user("a"), "one turn alone; put the turns of each conversation together, as with `jq -c -s '{messages: .}'`"),
    ({"type": "user", "message": user("a")}, "one turn alone"),
    ({"text": "Once upon a time."}, r"a text that marks its speakers, .*, found text \(a text\)"),
    ({"text": "He said. User: a. Assistant: b"}, r"found text \(a text\)"),
    ({"meta": {"question": "a", "answer": "b"}}, r"found meta \(an object\)"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_what_is_no_conversation_is_refused_with_advice(tmp_path, line, message):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(line))
    with pytest.raises(AnyOrderError, match=f"a.jsonl, line 1: expected a list of turns under .*{message}"):
        format_of(path)
