"""What the page may send, each kind of request as a type; anything else is refused with a sentence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anyorder.envs.minigrid import NUM_ACTIONS

HIGHEST_SEED = 2**31 - 1
MOST_ACTIONS = 2000
LONGEST_ACTION = 2000
"""Characters of an action in words."""

Seed = Annotated[int, Field(ge=0, le=HIGHEST_SEED)]
Number = Annotated[int, Field(ge=0, le=1_000_000)]
"""A step, or a number of steps; the query checks what the episode allows."""
Action = Annotated[int, Field(ge=0, lt=NUM_ACTIONS)]
ActionEntry = Annotated[float, Field(allow_inf_nan=False)]
FieldAction = Annotated[
    dict[Annotated[str, Field(max_length=1000)], Annotated[tuple[ActionEntry, ...], Field(max_length=4096, strict=False)]],
    Field(max_length=1000),
]
RoleDigits = Annotated[str, Field(pattern="^[0-3]+$", max_length=1_000_000)]
"""One digit per element, a `anyorder.masking.order.Role` each."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Recorded(_Message):
    """An episode of the data set."""

    kind: Literal["recorded"]
    number: Annotated[int, Field(ge=0)]
    part: Number = 0


class Played(_Message):
    """An episode that the agent, or the environment's expert (``bot``), plays from a seed to its end."""

    kind: Literal["played"]
    seed: Seed
    player: Literal["agent", "bot"]
    part: Number = 0


class Live(_Message):
    """An episode that goes on: what a seed and the actions so far lead to."""

    kind: Literal["live"]
    seed: Seed
    actions: Annotated[tuple[Action, ...], Field(max_length=MOST_ACTIONS, strict=False)]


class LiveFields(_Message):
    """The same in any environment, whose actions are arrays: path -> their entries, flat."""

    kind: Literal["live_fields"]
    seed: Seed
    actions: Annotated[tuple[FieldAction, ...], Field(max_length=MOST_ACTIONS, strict=False)]


class LiveText(_Message):
    """The same in a text environment, whose actions are texts."""

    kind: Literal["live_text"]
    seed: Seed
    actions: Annotated[
        tuple[Annotated[str, Field(max_length=LONGEST_ACTION)], ...], Field(max_length=MOST_ACTIONS, strict=False)
    ]


AnyLive = Annotated[Live | LiveFields | LiveText, Field(discriminator="kind")]
Source = Recorded | Played | Live | LiveFields | LiveText
AnySource = Annotated[Source, Field(discriminator="kind")]


class QueryOptions(_Message):
    """Options of `anyorder.inference.questions.QUERY_OPTIONS`; None for those that are not given."""

    step: Number | None = None
    goal_step: Number | None = None
    waypoints: Annotated[tuple[Number, ...], Field(max_length=100, strict=False)] | None = None
    start: Number | None = None
    stop: Number | None = None
    horizon: Number | None = None
    rate: float | None = None
    until: Number | None = None
    mission: bool | None = None
    autoregressive: bool | None = None


class AskQuery(_Message):
    """A question that a query asks."""

    kind: Literal["query"]
    name: str
    options: QueryOptions = QueryOptions()
    seed: Seed = 0


class AskRoles(_Message):
    """A question that the user's own roles ask, at equal ranks."""

    kind: Literal["roles"]
    roles: RoleDigits


class DecoderOptions(_Message):
    """A decoder and its settings, as in `anyorder.inference.questions.DecoderChoice`."""

    name: str | None = None
    num_passes: Annotated[int, Field(ge=1, le=64)] = 8
    unit_order: Literal["time", "reverse", "random"] = "time"
    temperature: Annotated[float, Field(ge=0, le=100)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0


class EpisodeRequest(_Message):
    """Show an episode."""

    source: AnySource


class AnswerRequest(_Message):
    """Ask the model about an episode."""

    source: AnySource
    asked: Annotated[AskQuery | AskRoles, Field(discriminator="kind")]
    decoder: DecoderOptions = DecoderOptions()
    seed: Seed = 0


class AgentRequest(_Message):
    """Ask what the agent would do next in an episode that goes on, if it does not see what is hidden in ``roles``."""

    source: AnyLive
    roles: RoleDigits
    rebuilds: bool = False


def complaint(error: ValidationError) -> str:
    """The first thing that is wrong, in one sentence."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the request"
    found = str(first.get("input"))
    return f"{where}: {first['msg']}; found {found if len(found) <= 60 else found[:57] + '...'}"
