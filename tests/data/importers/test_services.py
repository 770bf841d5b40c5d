"""What services and frameworks log becomes a conversation: requests with their responses, calls with their results."""

import json
import re

import pytest
from chat_files import read_chats, turns_of, write_chats

from anyorder.data.importers.chats.importing import ImportSpec, import_chats
from anyorder.data.importers.chats.reading import WrongLine
from anyorder.errors import AnyOrderError

ARGUMENTS = {"fruit": "plum"}
CALL = '<tool_call>\n{"name": "weigh", "arguments": {"fruit": "plum"}}\n</tool_call>'
ANSWER = {"role": "assistant", "content": "60 g"}


def user(content):
    return {"role": "user", "content": content}


def agent(content, **keys):
    return {"role": "assistant", "content": content, **keys}


def read_one(tmp_path, line):
    (found,) = read_chats(tmp_path, line)
    assert not isinstance(found, WrongLine), found.reason
    return found


CONSTRUCTED = {"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"], "kwargs": {"content": "60 g", "type": "ai"}}
RESPONSES = {
    "chat completions": {"choices": [{"index": 0, "message": ANSWER, "finish_reason": "stop"}]},
    "Responses": {"output": [{"type": "message", **ANSWER, "content": [{"type": "output_text", "text": "60 g"}]}]},
    "Gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": "60 g"}]}, "finishReason": "STOP"}]},
    "Gemini without a role": {"candidates": [{"content": {"parts": [{"text": "60 g"}]}}]},
    "Bedrock": {"output": {"message": {"role": "assistant", "content": [{"text": "60 g"}]}}, "stopReason": "end_turn"},
    "Ollama": {"model": "m", "message": ANSWER, "done": True},
    "Anthropic": {"id": "1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "60 g"}]},
    "LangChain": {"generations": [[{"text": "60 g", "message": CONSTRUCTED}]]},
    "a state": {"messages": [user("Weigh."), ANSWER]},
    "a batch": {"status_code": 200, "body": {"choices": [{"message": ANSWER}]}},
    "completions": {"choices": [{"text": "60 g", "index": 0}]},
}


@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("written", [False, True])
def test_a_request_and_the_response_to_it(tmp_path, name, written):
    response = json.dumps(RESPONSES[name]) if written else RESPONSES[name]
    lines = [{"messages": [user("Weigh.")], "response": response}]
    lines += [{"request": {"model": "m", "messages": [user("Weigh.")]}, "response": response}]
    lines += [{"inputs": {"messages": [[user("Weigh.")]]}, "outputs": RESPONSES[name]}]
    for line in lines:
        found = read_one(tmp_path, line)
        assert turns_of(found) == [("mission", "Weigh.", False), ("action", "60 g", True)]
        assert "usage" not in found.others


def test_what_else_a_response_says_is_kept(tmp_path):
    found = read_one(tmp_path, {"messages": [user("a")], "response": RESPONSES["chat completions"] | {"usage": {"total": 3}}})
    kept = {"response": {"usage": {"total": 3}, "choices": [{"index": 0, "finish_reason": "stop"}]}}
    assert json.loads(found.others)["line"] == kept


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ({"input": [user("a")], "output": "b", "system_prompt": "s"}, ["s", "a", "b"]),
        ({"prompt": "a", "completion": [agent("b")]}, ["a", "b"]),
        ({"prompt": user("a"), "completion": agent("b")}, ["a", "b"]),
        ({"messages": [user("a")], "choices": [{"message": agent("b")}]}, ["a", "b"]),
        ({"messages": [user("a"), agent("b")], "choices": ["A", "B"]}, ["a", "b"]),
        ({"data": {"item": {"messages": [user("a"), agent("b")]}}}, ["a", "b"]),
        ({"conversation": json.dumps({"messages": [user("a"), agent("b")]})}, ["a", "b"]),
        (
            {"preamble": "s", "chat_history": [{"role": "USER", "message": "a"}, {"role": "CHATBOT", "message": "b"}]}
            | {"message": "c", "response": {"text": "d"}},
            ["s", "a", "b", "c", "d"],
        ),
    ],
)
def test_answers_that_stand_beside_what_they_answer(tmp_path, line, texts):
    assert [turn.text for turn in read_one(tmp_path, line).turns] == texts


GEMINI_CALL = {"functionCall": {"name": "weigh", "args": ARGUMENTS}, "thoughtSignature": "x"}
OF_OWN_TYPE = {"type": "web_search_tool_result", "tool_use_id": "1", "content": [{"type": "web_search_result", "url": "u"}]}
CALLS = {
    "Gemini's signed thoughts": ([{"role": "model", "parts": [GEMINI_CALL]}], [CALL]),
    "Bedrock": (
        [
            agent(
                [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "x"}}},
                    {"cachePoint": {"type": "default"}},
                ]
            ),
            agent([{"toolUse": {"toolUseId": "1", "name": "weigh", "input": ARGUMENTS}}]),
            user([{"toolResult": {"toolUseId": "1", "content": [{"json": {"grams": 60}}], "status": "success"}}]),
        ],
        [f"<think>\nHm.\n</think>\n{CALL}", '{"grams": 60}'],
    ),
    "code of Gemini": (
        [agent([{"executableCode": {"code": "6"}}, {"codeExecutionResult": {"outcome": "OK", "output": "6"}}])],
        ['<tool_call>\n{"name": "executableCode", "arguments": {"code": "6"}}\n</tool_call>', "6"],
    ),
    "Anthropic's own tools": (
        [agent([{"type": "server_tool_use", "id": "1", "name": "weigh", "input": ARGUMENTS}, OF_OWN_TYPE])],
        [CALL, '[{"type": "web_search_result", "url": "u"}]'],
    ),
    "Cohere": (
        [
            agent(None, tool_plan="Hm.", tool_calls=[{"id": "1", "function": {"name": "weigh", "arguments": ARGUMENTS}}]),
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "document", "document": {"data": "60"}}]},
        ],
        [f"<think>\nHm.\n</think>\n{CALL}", '[{"type": "document", "document": {"data": "60"}}]'],
    ),
    "Cohere, before": (
        [
            agent("a", tool_calls=[{"name": "weigh", "parameters": ARGUMENTS}]),
            {"role": "TOOL", "tool_results": [{"outputs": [60]}]},
        ],
        [f"a\n{CALL}", '[{"outputs": [60]}]'],
    ),
    "custom tools": (
        [agent(None, tool_calls=[{"id": "1", "type": "custom", "custom": {"name": "weigh", "input": ARGUMENTS}}])],
        [CALL],
    ),
    "the AI SDK's parts": (
        [
            {
                "role": "assistant",
                "parts": [
                    {"type": "step-start"},
                    {"type": "tool-weigh", "toolCallId": "1", "state": "output-available", "input": ARGUMENTS, "output": 60},
                    {"type": "text", "text": "60 g"},
                ],
            }
        ],
        [CALL, "60", "60 g"],
    ),
    "the AI SDK's invocations": (
        [
            agent(
                "60 g",
                toolInvocations=[{"state": "result", "toolCallId": "1", "toolName": "weigh", "args": ARGUMENTS, "result": 60}],
            )
        ],
        [CALL, "60", "60 g"],
    ),
    "calls with their results": (
        [agent("", tool_calls=[{"name": "weigh", "arguments": ARGUMENTS, "result": {"grams": 60}}])],
        [CALL, '{"grams": 60}'],
    ),
    "LangChain's calls aside": (
        [{"type": "ai", "content": "", "additional_kwargs": {"function_call": {"name": "weigh", "arguments": ARGUMENTS}}}],
        [CALL],
    ),
    "a call that stands in the content, too": (
        [
            agent(
                [{"type": "tool_use", "id": "1", "name": "weigh", "input": ARGUMENTS}],
                tool_calls=[{"id": "1", "name": "weigh", "args": ARGUMENTS}],
            )
        ],
        [CALL],
    ),
    "ATIF": (
        [
            {
                "source": "agent",
                "message": "a",
                "tool_calls": [{"tool_call_id": "1", "function_name": "weigh", "arguments": ARGUMENTS}],
            }
            | {"observation": {"results": [{"source_call_id": "1", "content": "60 g"}]}}
        ],
        [f"a\n{CALL}", "60 g"],
    ),
    "AutoGen": (
        [
            {
                "source": "bot",
                "type": "ToolCallRequestEvent",
                "content": [{"id": "1", "name": "weigh", "arguments": ARGUMENTS}],
            },
            {"source": "bot", "type": "ToolCallExecutionEvent", "content": [{"call_id": "1", "content": "60 g"}]},
            {"source": "bot", "type": "TextMessage", "content": "Done."},
        ],
        [CALL, "60 g", "Done."],
    ),
    "OpenHands in pairs": (
        [
            [
                {"source": "agent", "action": "weigh", "args": ARGUMENTS},
                {"source": "agent", "observation": "weigh", "content": "60 g"},
            ]
        ],
        [CALL, "60 g"],
    ),
    "responses among the turns": (
        [
            {"choices": [{"message": agent("", tool_calls=[{"name": "weigh", "arguments": ARGUMENTS}])}]},
            {"role": "exit", "content": "60"},
        ],
        [CALL, "60"],
    ),
    "thoughts that stand in the content, too": (
        [agent("<think>\nHm.\n</think>\n60 g", reasoning_content="Hm.")],
        ["<think>\nHm.\n</think>\n60 g"],
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_thoughts_and_results_of_every_service(tmp_path, name):
    turns, texts = CALLS[name]
    found = read_one(tmp_path, {"history": [user("Weigh."), *turns]})
    assert [turn.text for turn in found.turns] == ["Weigh.", *texts]
    assert [turn.part for turn in found.turns[1:]] == [("action", "observation")[n % 2] for n in range(len(texts))]


def test_items_of_responses_that_hold_their_results(tmp_path):
    items = [
        {"type": "mcp_list_tools", "server_label": "d", "tools": [{"name": "roll"}]},
        {"type": "code_interpreter_call", "id": "1", "code": "6", "outputs": [{"type": "logs", "logs": "6"}]},
        {"type": "mcp_call", "id": "2", "name": "weigh", "arguments": json.dumps(ARGUMENTS), "output": "60 g", "error": None},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "60 g"}]},
    ]
    found = read_one(tmp_path, {"input": "Weigh.", "output": items})
    code = '<tool_call>\n{"name": "code_interpreter", "arguments": {"code": "6"}}\n</tool_call>'
    assert [turn.text for turn in found.turns][1:] == [
        *('Tools: [{"name": "roll"}]', code, '[{"type": "logs", "logs": "6"}]', CALL, "60 g", "60 g"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        {"question": "Weigh.", "answer": "60 g"}
        | {"trajectory": [{"action": "weigh", "action_input": ARGUMENTS, "observation": "60 g"}, {"action": "60 g"}]},
        {"input": "Weigh.", "output": "60 g", "intermediate_steps": [[{"tool": "weigh", "tool_input": ARGUMENTS}, "60 g"]]},
        {"intent": "Weigh.", "steps": [{"tool_calls": [{"name": "weigh", "arguments": ARGUMENTS}], "observation": "60 g"}]},
    ],
)
def test_steps_count_more_than_the_answer_beside_them(tmp_path, line):
    assert [turn.text for turn in read_one(tmp_path, line).turns][:3] == ["Weigh.", CALL, "60 g"]


SHOT = {"type": "computer_call_output", "call_id": "1", "output": {"type": "computer_screenshot", "image_url": "data:x"}}
REFUSED = [
    (
        {"messages": [user("a")], "response": {"choices": [{"message": ANSWER}] * 2}},
        "expected one answer to a request, found 2",
    ),
    ({"messages": [user("a")], "response": {"choices": []}}, "expected a message of the agent in the choices of response"),
    (
        {"custom_id": "1", "response": {"body": {"choices": [{"message": ANSWER}]}}},
        "an answer (response) without what it answers",
    ),
    ({"body": {"messages": [user("a")]}}, "if these are requests, put each one's answer beside it, as response"),
    ({"prompt": [user("a")]}, "turns under prompt; rename that to messages"),
    ({"messages": [user("a")], "chosen": agent("b"), "rejected": agent("c")}, "'{messages: (.messages + [.chosen])}'"),
    ({"prompt": [user("a")], "chosen": [agent("b")], "rejected": [agent("c")]}, "'{messages: (.prompt + .chosen)}'"),
    ({"chosen": "Human: a\n\nAssistant: b", "rejected": "Human: a\n\nAssistant: c"}, "'{text: .chosen}'"),
    (
        {"input": {"messages": [user("a")]}, "preferred_output": [ANSWER], "non_preferred_output": [ANSWER]},
        "a preference between two answers",
    ),
    ({"prompt": {"text": "a", "role": "prompter", "replies": []}}, "turns of a tree"),
    ({"conversation_id": 1, **user("a")}, "group_by(.conversation_id)[] | {messages: .}"),
    ({"a": [user("a"), ANSWER], "b": [user("a"), ANSWER]}, "several conversations under names of their own"),
    ({"a": {"messages": [user("a"), ANSWER]}, "b": {"messages": [user("a"), ANSWER]}}, "found one more as b"),
    ({"messages": "[{'role': 'user'}]"}, "messages looks like turns written as a text that is not JSON"),
    ({"messages": [[user("a"), ANSWER]] * 2}, "if each list is a conversation of its own, make it a line of its own"),
    ({"input": [user("a"), SHOT, ANSWER]}, "found 'computer_screenshot'; write what it shows as text"),
    ({"input": [user("a"), {"type": "image_generation_call", "result": "AAAA"}, ANSWER]}, "write what it shows as text"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_what_cannot_be_read_is_refused_with_advice(tmp_path, line, message):
    with pytest.raises(AnyOrderError, match=f"chat.jsonl, line 1: .*{re.escape(message)}"):
        import_chats([write_chats(tmp_path / "chat.jsonl", line)], tmp_path / "data", ImportSpec())
