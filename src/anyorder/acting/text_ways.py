"""The ways of acting in text environments, by name."""

from __future__ import annotations

from anyorder.acting.text_agent import TextAgent
from anyorder.acting.text_player import TextPlayer
from anyorder.acting.text_writing import ConstrainedAgent, GeneratingAgent

TEXT_WAYS: dict[str, type[TextPlayer]] = {
    "scoring": TextAgent,
    "generating": GeneratingAgent,
    "constrained": ConstrainedAgent,
}
"""Name -> agent; the first one is the usual one."""
