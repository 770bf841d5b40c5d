"""Acting towards a goal asks exactly what goal-conditioned training answers."""

import numpy as np
import pytest
import torch

from anyorder.acting.goals import Goal, GoalPolicy
from anyorder.acting.rollout import roll_out
from anyorder.elements.grid import collate
from anyorder.elements.layout import Kind
from anyorder.envs.minigrid import View
from anyorder.evaluation.goal_reaching import last_observation, reach_goals
from anyorder.masking.order import Role
from anyorder.masking.strategies import GoalConditioned


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


def play(history, trajectory, num_frames, doubted=()):
    for step in range(num_frames):
        if step:
            history.act(int(trajectory.actions[step - 1]), unknown=step - 1 in doubted)
        history.observe(View(trajectory.observations[step], int(trajectory.directions[step]), trajectory.mission))
    return history


def test_every_step_is_answered_as_in_training(model, trajectories, encoded):
    number = max(range(8), key=lambda i: len(trajectories[i]))
    trajectory, batch = trajectories[number], encoded.batch([number])
    order = GoalConditioned()(batch.layout, torch.Generator())
    first = model.first_action
    with torch.no_grad():
        trained = model(batch.values, batch.layout, order)[:, first : first + 7].float()
    policy, goal = GoalPolicy(model), last_observation(trajectory)
    for step in range(len(trajectory)):
        acting = policy.logits([play(policy.towards(goal)("anything"), trajectory, step + 1)])
        torch.testing.assert_close(acting[0], trained[step])


def test_histories_of_different_lengths_and_goals_go_together(model, trajectories):
    policy = GoalPolicy(model)
    goals = [Goal(last_observation(t).view, step) for t, step in zip(trajectories, (3, 9, 2))]

    def history(i):
        return play(policy.towards(goals[i])(""), trajectories[i], (1, 2, 3)[i])

    together = policy.logits([history(i) for i in range(3)])
    for i in range(3):
        torch.testing.assert_close(policy.logits([history(i)])[0], together[i])


def test_unknown_actions_are_hidden_and_the_next_one_is_still_the_question(model, trajectories):
    policy, goal = GoalPolicy(model), Goal(last_observation(trajectories[0]).view, 6)
    longest = max(trajectories, key=len)
    doubtful = play(policy.towards(goal)(""), longest, 4, doubted={0, 2})
    _values, layout = collate([doubtful.encoded()], 7, 7)
    actions = layout.grid.actions(policy.order(layout, [doubtful]).roles)[0, :4].tolist()
    assert actions == [Role.HIDDEN, Role.TARGET, Role.HIDDEN, Role.TARGET]
    known = play(policy.towards(goal)(""), longest, 4)
    together = policy.logits([doubtful, known])
    torch.testing.assert_close(together, torch.cat([policy.logits([doubtful]), policy.logits([known])]))
    assert not torch.allclose(*together)


def test_who_is_late_aims_at_the_next_step(model, trajectories):
    policy, view = GoalPolicy(model), last_observation(trajectories[0]).view
    answers = [policy.logits([play(policy.towards(Goal(view, step))(""), trajectories[1], 3)]) for step in (0, 2, 3, 4)]
    torch.testing.assert_close(answers[0], answers[2])
    torch.testing.assert_close(answers[1], answers[2])
    assert not torch.allclose(answers[2], answers[3])


def test_the_gap_does_not_exist_and_the_mission_is_untold(model, trajectories):
    policy = GoalPolicy(model)
    history = play(policy.towards(Goal(last_observation(trajectories[0]).view, 6))("go to the red ball"), trajectories[1], 2)
    encoded = history.encoded()
    assert len(encoded.words) == 0 and len(encoded.frames) == 7 and encoded.num_actions == 2
    _values, layout = collate([encoded], 7, 7)
    order = policy.order(layout, [history])
    roles = layout.grid.observations(order.roles)[0]
    assert (roles[[0, 1, 6]] == Role.CONTEXT).all() and (roles[2:6] == Role.DROPPED).all()
    assert order.targets.sum() == 2 and (layout.kind[order.targets] == Kind.ACTION).all()


def test_another_goal_another_answer(model, trajectories):
    policy = GoalPolicy(model)
    first, second = (
        policy.logits([play(policy.towards(Goal(last_observation(t).view, 5))(""), trajectories[0], 2)])
        for t in trajectories[1:3]
    )
    assert not torch.allclose(first, second)


def test_goals_are_given_to_their_episodes(model, trajectories):
    """Each episode of a roll-out gets the goal that stands beside its seed."""
    policy, goals = GoalPolicy(model), [last_observation(t) for t in trajectories[:3]]
    histories = []

    def beginning(goal):
        def begin(mission):
            histories.append((goal, policy.towards(goal)(mission)))
            return histories[-1][1]

        return begin

    played = roll_out(policy, "BabyAI-GoToRedBall-v0", [5, 6, 7], begins=[beginning(goal) for goal in goals])
    assert [goal for goal, _ in histories] == goals
    assert [len(history) for _, history in histories] == [len(episode) + 1 for episode in played]


def test_goal_reaching_is_judged_by_the_environment(model):
    score = reach_goals(model, "BabyAI-GoToRedBall-v0", range(30_000_000, 30_000_006))
    assert score.success.count == score.seen.count == 6 - score.num_left_out
    assert score.seeds == (30_000_000, 30_000_005) and score.expert_length > 1
    assert np.isfinite(score.mean_length)
