"""Who speaks: the many names that files give to the system, the user, the agent and its tools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words, plain, written_json

SPEAKERS = {
    "system": ("system", "sys", "developer", "systemprompt", "系统", "システム", "시스템", "система", "sistema", "système"),
    "user": (
        *("human", "user", "humanuser", "enduser", "prompter", "customer", "client", "instruction", "instructor"),
        *("questioner", "question", "query", "prompt", "seeker", "player", "userproxy"),
        *("用户", "人类", "ユーザー", "사용자", "пользователь", "benutzer", "nutzer", "utilisateur"),
        *("usuario", "usuário", "utente"),
    ),
    "assistant": (
        *("assistant", "ai", "bot", "chatbot", "agent", "model", "llm", "aiassistant", "aiagent", "assistantagent"),
        *("response", "answer", "completion", "output", "action", "actor", "policy", "bing", "bard", "support"),
        *("functioncall", "toolcall", "tooluse", "functioncalls", "toolcalls", "toolcallrequestevent"),
        *("助手", "助理", "アシスタント", "도우미", "ассистент", "помощник", "assistent", "asistente", "assistente"),
    ),
    "tool": (
        *("tool", "tools", "function", "observation", "environment", "env", "ipython", "api", "simulator", "world"),
        *("execution", "executor", "codeinterpreter", "interpreter", "codeexecution", "sandbox", "terminal", "result"),
        *("functionresponse", "toolresponse", "functionresult", "toolresult", "functionoutput", "tooloutput"),
        *("functioncalloutput", "apiresponse", "apiresult", "executionresult", "toolresponses", "toolresults"),
        "exit",
        *("toolcallexecutionevent", "工具", "环境", "環境", "ツール", "도구", "инструмент", "werkzeug", "umgebung"),
        *("outil", "herramienta", "ferramenta", "strumento"),
    ),
}
"""Role of a turn -> the plain names that files give to a speaker."""
ROLES = {name: role for role, names in SPEAKERS.items() for name in names}
THOUGHT_ROLES = {"thought", "thinking", "reasoning", "analysis"}
"""Speakers who are the agent as it thinks."""
CALL_ROLES = {"functioncall", "toolcall", "tooluse", "functioncalls", "toolcalls", "toolcallrequestevent"}
"""Speakers who are the agent as it calls a tool."""
MODELS = re.compile(r"(chat)?(gpt|claude|gemini|gemma|llama|qwen|mistral|mixtral|deepseek|grok|o[134](mini|pro|preview)?$)")
"""How the plain names of language models begin."""
ROLE_KEYS = ("role", "from", "speaker", "sender", "author")
SOURCE_KEY = "source"
"""Key that names the speaker in some files, and where a turn comes from in others."""


def role_of(name: Any, own: Mapping[str, str]) -> str | None:
    """The role of a speaker; None for one that is unknown.

    Args:
        name: as the file has it: ``User``, ``gpt-4o``, ``assistant_1``, ``HumanMessage``.
        own: plain name -> role, as the user of the import says; it goes before all others.
    """
    if isinstance(name, (bool, int, float)):
        name = str(name)
    if not isinstance(name, str):
        return None
    exact = plain(name)
    known = {**ROLES, **own}
    short = re.sub(r"(message)?(chunk)?\d*$", "", exact)
    found = known.get(exact) or known.get(short)
    return found or ("assistant" if MODELS.match(exact) or short in THOUGHT_ROLES else None)


def take_role(keys: Keys, where: str, own: Mapping[str, str]) -> tuple[str, str]:
    """The role of a turn, and the plain name that the file gives it; takes their key.

    Raises:
        BadLine: for a turn without a role that is known.
    """
    found = keys.find(ROLE_KEYS)
    key = found[0] if found else ROLE_KEYS[0]
    said = keys.left.pop(key, None)
    name = said.get("role", said.get("name")) if isinstance(said, dict) else said  # ``author: {role: user}``
    role = role_of(name, own)
    if role is None and name is None:
        others = ", ".join(keys.left) or "no key"
        raise BadLine(f"expected a speaker such as user or assistant as 'role' of {where}, found {others}")
    if role is None:
        simple = isinstance(name, str) and re.fullmatch(r"[A-Za-z][\w ]*", name)
        option = name if simple else written_json(str(name))
        raise BadLine(
            f"expected a speaker such as {', '.join(SPEAKERS)} as {key!r} of {where}, found {in_few_words(name)}; say which of"
            f" these four it is, as in --roles '{{{option}: assistant}}'"
        )
    return role, plain(str(name))
