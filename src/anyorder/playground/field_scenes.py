"""Finds and plays the episodes of any environment that the page asks for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from anyorder.elements.fields import cut_fields, encode_fields
from anyorder.errors import AnyOrderError
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.playground.field_scene import EpisodeEnd, FieldScene, action_columns, described
from anyorder.playground.field_stage import FieldStage
from anyorder.playground.scene import EPISODES_REMEMBERED, check_live, check_part, check_recorded, named_outcome
from anyorder.playground.wire import LiveFields, Played, Recorded, Source
from anyorder.types import FieldTrajectory


class FieldScenes:
    """Finds or plays what the page asks for.

    Args:
        model: of the general kind, in evaluation mode.
        env_id: where the episodes come from.
        recorded: episodes of a data set; may be empty.
        stage: plays others; None where the environment cannot be made here.
    """

    def __init__(
        self, model: ElementTransformer, env_id: str, recorded: Sequence[FieldTrajectory], stage: FieldStage | None
    ) -> None:
        self.model, self.env_id, self.recorded, self.stage = model, env_id, recorded, stage
        self._episode = lru_cache(EPISODES_REMEMBERED)(self._play_or_find)

    def about(self) -> dict[str, Any]:
        """See `anyorder.playground.scene.Scenes`."""
        expert = self.stage is not None and self.stage.has_expert
        return {
            "kind": "fields",
            "env_id": self.env_id,
            "num_recorded": len(self.recorded),
            "players": ["agent", *(["bot"] if expert else [])],
            "plays": self.stage is not None,
            "action_columns": action_columns(self.model.spec),
            **described(self.model.spec),
        }

    def pictures(self) -> dict[str, Any]:
        """None: fields are lines and strips."""
        return {}

    def scene(self, source: Source) -> FieldScene:
        """See `anyorder.playground.scene.Scenes`."""
        if not isinstance(source, (Recorded, Played)):
            check_live(source.kind, "live_fields")
            assert isinstance(source, LiveFields)
            return self._playing().live(source.seed, source.actions)
        episode = self._episode(source.model_copy(update={"part": 0}))
        parts = cut_fields(encode_fields(episode, self.model.spec), self.model.max_frames)
        check_part(source.part, len(parts))
        return FieldScene(
            self.model,
            episode.env_id,
            episode.seed,
            parts[source.part],
            _outcome(episode),
            first_step=sum(part.num_actions for part in parts[: source.part]),
            part=source.part,
            num_parts=len(parts),
        )

    def close(self) -> None:
        """See `anyorder.playground.scene.Scenes`."""
        if self.stage is not None:
            self.stage.close()

    def _play_or_find(self, source: Recorded | Played) -> FieldTrajectory:
        if isinstance(source, Played):
            return self._playing().played(source.seed, source.player)
        check_recorded(source.number, len(self.recorded))
        return self.recorded[source.number]

    def _playing(self) -> FieldStage:
        if self.stage is None:
            raise AnyOrderError(f"{self.env_id} cannot be played here; choose a recorded episode")
        return self.stage


def _outcome(episode: FieldTrajectory) -> EpisodeEnd:
    name = named_outcome(episode.success, bool(episode.truncations[-1]))
    return EpisodeEnd(name, len(episode), float(episode.rewards.sum()))
