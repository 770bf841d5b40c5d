"""Plans: imagined outcomes move the policy's answer, and nothing else does."""

import numpy as np
import pytest
import torch
from torch import nn

from anyorder.acting.imagination import given, imagine, observation_offsets
from anyorder.acting.planning import GoalMatch, Novelty, Planner, Return, Search, Sum, Tried, UniformPolicy, came_back
from anyorder.acting.policy import History, ModelPolicy
from anyorder.acting.stepwise import StepwisePolicy
from anyorder.elements.grid import Attribute
from anyorder.envs.minigrid import View
from anyorder.evaluation.imagined import Prefix

LEFT, RIGHT, FORWARD = 0, 1, 2
FAVOURED = [0.2, 0.25, 0.4, 0.05, 0.04, 0.03, 0.03]


class Corridor(nn.Module):
    """A tabular model of a world whose only visible fact is where the agent is (the object of the first cell, 0..3):
    forward changes nothing, left and right go to the next place down or up. It wants to go forward; the return-to-go it
    expects is that of its place."""

    def __init__(self, vocabulary):
        super().__init__()
        self.vocabulary, self.view, self.max_frames, self.num_imagined = vocabulary, (3, 3), None, 0
        self.nowhere = nn.Parameter(torch.zeros(1))  # where a policy asks it: on the CPU

    def forward(self, values, layout, order):
        shape, first, size = layout.grid, self.vocabulary.offsets, len(self.vocabulary)
        frames = shape.frames(values)
        if shape.observations(order.targets).any():
            self.num_imagined += len(values)
            moves = torch.tensor([-1, 1, 0, 0, 0, 0, 0])[(frames[:, :-1, -1] - first[Attribute.ACTION]).clamp(min=0)]
            following = frames.clone()
            following[:, 1:, :-2] = frames[:, :-1, :-2]
            following[:, 1:, 0] = (frames[:, :-1, 0] + moves).clamp(0, 3)
            answers = torch.cat([shape.words(values), following.flatten(1)], dim=1)
            return nn.functional.one_hot(answers[order.targets], size) * 40.0
        answers = torch.full((*values.shape, size), -torch.inf)
        by_frame = answers[:, shape.num_words :].unflatten(1, (shape.num_frames, shape.per_frame))
        by_frame[:, :, -2].scatter_(2, (first[Attribute.RETURN] + 5 * frames[..., :1]), 0.0)
        by_frame[:, :, -1, first[Attribute.ACTION] : first[Attribute.ACTION] + 7] = torch.tensor(FAVOURED).log()
        return answers[order.targets]


@pytest.fixture
def corridor(make_model):
    return Corridor(make_model().vocabulary)


def episode(model, *visited):
    """A history of places and actions in turn, a place last."""
    history = History(model.vocabulary, "go to the ball")
    for place, action in zip(visited[::2], [*visited[1::2], None]):
        history.observe(at(place))
        if action is not None:
            history.act(action)
    return history


def at(place):
    image = np.zeros((3, 3, 3), np.uint8)
    image[0, 0, 0] = place
    return View(image, 0, "go to the ball")


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


@pytest.fixture(scope="module")
def histories(model, trajectories):
    return [Prefix(trajectory, start).history(model) for trajectory, start in zip(trajectories, (0, 2, 1, 3))]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_without_weight_it_is_the_plain_policy(model, histories, temperature):
    plain = ModelPolicy(model, temperature, seed=3)
    planner = Planner(ModelPolicy(model), Novelty(), Search(weight=0, certain=1.1), temperature, seed=3)
    for _ in range(5):
        assert planner.actions(histories) == plain.actions(histories)
    torch.testing.assert_close(planner.logits(histories), plain.logits(histories).log_softmax(dim=-1))


def test_it_avoids_what_is_known_to_change_nothing(corridor):
    history = episode(corridor, 1)
    assert ModelPolicy(corridor).actions([history]) == [FORWARD]
    always = Search(weight=4, num_actions=3, certain=1.1)
    assert Planner(ModelPolicy(corridor), Novelty(), always).actions([history]) == [RIGHT]
    came_from_the_right = episode(corridor, 2, LEFT, 1)
    assert Planner(ModelPolicy(corridor), Novelty(), always).actions([came_from_the_right]) == [LEFT]


def test_scores_are_log_probabilities_and_expected_repeats(corridor):
    history = episode(corridor, 2, LEFT, 1, FORWARD, 1)
    scores = Planner(ModelPolicy(corridor), Novelty(), Search(weight=2, num_actions=3)).logits([history])[0]
    repeats = torch.tensor([0.0, 1, 2, 2, 2, 2, 2])  # what was not imagined counts as the worst that was
    torch.testing.assert_close(scores, torch.tensor(FAVOURED).log() - 2 * repeats, atol=1e-4, rtol=1e-4)


def test_nothing_is_imagined_where_the_policy_is_certain_and_the_place_is_new(corridor):
    new, again = episode(corridor, 1, RIGHT, 2), episode(corridor, 1, FORWARD, 1)
    assert not came_back(new) and came_back(again)
    planner = Planner(ModelPolicy(corridor), Novelty(), Search(num_actions=2, certain=0.3))
    planner.actions([new, new])
    assert corridor.num_imagined == 0
    planner.actions([new, again])
    assert corridor.num_imagined == 2
    Planner(ModelPolicy(corridor), Novelty(), Search(num_actions=2, certain=0.5)).actions([new])
    assert corridor.num_imagined == 4


def test_deeper_plans_reach_a_goal_behind_a_detour(corridor):
    history = episode(corridor, 1)
    close = Search(weight=50, num_actions=3, certain=1.1)
    assert Planner(ModelPolicy(corridor), GoalMatch(at(0)), close).actions([history]) == [LEFT]
    far = Search(weight=50, num_actions=3, depth=2, num_samples=40, certain=1.1)
    drawing = ModelPolicy(corridor, temperature=1.0, seed=0)
    assert Planner(drawing, GoalMatch(at(3)), far).actions([history]) == [RIGHT], "right and right again, in a sample"


def test_proposals_need_not_come_from_what_was_taught(corridor):
    uniform = UniformPolicy(corridor, (LEFT, RIGHT), seed=1)
    drawn = uniform.actions([episode(corridor, 1)] * 400)
    assert set(drawn) == {LEFT, RIGHT} and abs(drawn.count(LEFT) - 200) < 60
    search = Search(weight=50, num_actions=2, depth=2, num_samples=8, certain=1.1)
    planner = Planner(UniformPolicy(corridor, (LEFT, RIGHT)), GoalMatch(at(3)), search)
    assert planner.actions([episode(corridor, 1)]) == [RIGHT]
    assert planner.logits([episode(corridor, 1)])[0, FORWARD] == -torch.inf, "what was not proposed is not done"


def test_goals_are_matched_cell_by_cell(model, histories):
    imagined = imagine(model, histories, given([[FORWARD]] * 4), 1)
    image = histories[0].frame(0)[0][:-3] - observation_offsets(model)[:-1].numpy()
    goal = View(image.reshape(7, 7, 3), 0, "")
    found = GoalMatch(goal)(model, histories, imagined)
    for row in range(4):
        probabilities = imagined.logits[row, 0].float().softmax(dim=-1)
        by_hand = [
            np.prod([probabilities[3 * cell + i, histories[0].frame(0)[0][3 * cell + i]].item() for i in range(3)])
            for cell in range(49)
        ]
        assert found[row].item() == pytest.approx(np.mean(by_hand), rel=1e-4)


def test_a_goal_counts_at_the_step_where_it_is_reached(corridor):
    histories = [episode(corridor, 1)] * 2
    imagined = imagine(corridor, histories, given([[RIGHT, LEFT], [LEFT, LEFT]]), 2)
    found = GoalMatch(at(2))(corridor, histories, imagined)
    torch.testing.assert_close(found, torch.tensor([1, 8 / 9]), atol=1e-4, rtol=1e-4)


def test_returns_are_those_expected_at_the_end(corridor):
    histories = [episode(corridor, 1), episode(corridor, 3)]
    imagined = imagine(corridor, histories, given([[RIGHT, RIGHT], [LEFT, FORWARD]]), 2)
    found = Return()(corridor, histories, imagined)
    assert found.tolist() == pytest.approx([5 * 3 / 20, 5 * 2 / 20])


def test_experience_counts_what_was_tried_from_here(corridor):
    history = episode(corridor, 1, FORWARD, 1, RIGHT, 2, LEFT, 1, FORWARD, 1)
    imagined = imagine(corridor, [history] * 3, given([[LEFT], [RIGHT], [FORWARD]]), 1)
    tried = Tried()(corridor, [history] * 3, imagined)
    assert tried.tolist() == [0, -1, -2]
    novelty = Novelty()(corridor, [history] * 3, imagined)
    torch.testing.assert_close(Sum((Tried(), Novelty()))(corridor, [history] * 3, imagined), tried + novelty)


def test_cells_never_seen_do_not_make_a_view_new(corridor):
    history, unknown = History(corridor.vocabulary, "go to the ball"), np.zeros((3, 3), bool)
    unknown[0, 0] = True
    history.observe(at(1), unknown)
    imagined = imagine(corridor, [history], given([[RIGHT]]), 1)
    assert Novelty()(corridor, [history], imagined).item() == pytest.approx(-1, abs=1e-4)


def test_a_remembering_policy_plans_the_same(model, trajectories):
    search = Search(weight=3, depth=2, certain=1.1)
    scores = []
    for policy in (ModelPolicy(model), StepwisePolicy(model)):
        planner = Planner(policy, Novelty(), search)
        history = planner.start(trajectories[0].mission)
        for step in range(3):
            if step:
                history.act(int(trajectories[0].actions[step - 1]))
            history.observe(View(trajectories[0].observations[step], int(trajectories[0].directions[step]), ""))
        scores.append(planner.logits([history]))
    torch.testing.assert_close(*scores, atol=1e-4, rtol=1e-4)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="depth must be at least 1; found 0"):
        Search(depth=0)
