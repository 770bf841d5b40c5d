"""Playgrounds of tiny models that have learned next to nothing, of grids, of CartPole and of conversations: their answers are
nonsense, but exactly the model's."""

import numpy as np
import pytest
import torch
import toy_worlds  # noqa: F401  (registers its environments)
from cartpole import cartpole_data, cartpole_run
from gymnasium import spaces
from starlette.testclient import TestClient
from toy_conversations import byte_level, conversation
from transformers import BertConfig, BertForMaskedLM

from anyorder.build.elements import load_element_checkpoint, read_fields_for
from anyorder.config import ElementModelConfig
from anyorder.elements.fitting import fit_spec
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import SHORTENINGS
from anyorder.elements.text.form import ChatForm
from anyorder.envs.played_text import PlayedText
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.playground.about import about
from anyorder.playground.field_scenes import FieldScenes
from anyorder.playground.field_stage import FieldStage
from anyorder.playground.grid_scenes import GridScenes
from anyorder.playground.server import HOST, application
from anyorder.playground.text_choice import TextChooser
from anyorder.playground.text_scenes import TextScenes
from anyorder.playground.text_stage import TextStage
from anyorder.types import FieldTrajectory

ENV = "BabyAI-GoToRedBall-v0"


@pytest.fixture(scope="session")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


@pytest.fixture(scope="session")
def scenes(model, trajectories):
    return GridScenes(model, ENV, trajectories)


@pytest.fixture(scope="session")
def app(scenes):
    return application(scenes, about("best.safetensors", "test", scenes))


@pytest.fixture(scope="session")
def client(app):
    with TestClient(app, base_url=f"http://{HOST}") as client:
        yield client


@pytest.fixture(scope="session")
def ask(client):
    """``ask("episode", source=...)``: the JSON of an answer that is no error."""

    def post(what, **body):
        response = client.post(f"/api/{what}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    return post


@pytest.fixture(scope="session")
def refusal(client):
    """``refusal("episode", source=...)``: the sentence of an answer that is an error of the one who asked."""

    def post(what, **body):
        response = client.post(f"/api/{what}", json=body)
        assert 400 <= response.status_code < 500 and list(response.json()) == ["error"], response.text
        return response.json()["error"]

    return post


@pytest.fixture(scope="session")
def cartpole_folder(tmp_path_factory):
    return cartpole_data(tmp_path_factory.mktemp("shown"))


@pytest.fixture(scope="session")
def saved(cartpole_folder, tmp_path_factory):
    run = cartpole_run(cartpole_folder, tmp_path_factory.mktemp("runs") / "shown", num_updates=5)
    return load_element_checkpoint(run / "checkpoints" / "best.pt")


@pytest.fixture(scope="session")
def recorded(saved, cartpole_folder):
    return read_fields_for(saved, cartpole_folder, "test")


@pytest.fixture(scope="session")
def field_scenes(saved, recorded):
    stage = FieldStage(saved.model, "CartPole-v1", saved.observation_space, saved.action_space)
    return FieldScenes(saved.model, "CartPole-v1", recorded, stage)


@pytest.fixture(scope="session")
def field_app(field_scenes):
    return application(field_scenes, about("best.safetensors", "test", field_scenes))


@pytest.fixture(scope="session")
def field_post(field_app):
    """``field_post("episode", source=...)``: status and content of the answer."""
    with TestClient(field_app, base_url=f"http://{HOST}") as client:

        def post(what, **body):
            response = client.post(f"/api/{what}", json=body)
            return response.status_code, response.json()

        post.client = client
        yield post


@pytest.fixture(scope="session")
def arm_scenes():
    """Recorded episodes of an arm with 30 joints, one of them unknown at times, a goal and a lamp; actions are two numbers."""
    rng = np.random.default_rng(0)
    space = spaces.Dict(arm=spaces.Box(-9, 9, (30,)), goal=spaces.Box(-1, 1, (1,)), lamp=spaces.Discrete(4))

    def episode(seed):
        seen = {"arm": rng.normal(size=(8, 30)), "goal": np.full((8, 1), rng.random()), "lamp": rng.integers(0, 4, 8)}
        absent = np.zeros((8, 30), bool)
        absent[2, 0] = True
        ends = np.arange(7) == 6
        acted = {"action": rng.normal(size=(7, 2))}
        return FieldTrajectory("Arm-v0", seed, seen, acted, rng.random(7), ends, ~ends & False, absent={"arm": absent})

    episodes = [episode(seed) for seed in range(20)]
    spec = fit_spec(space, spaces.Box(-1, 1, (2,)), episodes)
    model = ElementTransformer(ElementModelConfig(width=16, num_layers=1, num_heads=2), spec).eval()
    return FieldScenes(model, "Arm-v0", episodes, None)


@pytest.fixture(scope="session")
def arm_app(arm_scenes):
    return application(arm_scenes, about("best.safetensors", "test", arm_scenes))


STRANGERS = "<img src=x onerror=alert(1)> </script>"
LONG = 12
"""Steps of a conversation that is longer than the model reads."""


@pytest.fixture(scope="session")
def text_scenes():
    """A played episode, one that somebody imported, and a long one; the model learned to say observations, too."""
    codec = TextCodec(byte_level(), mask_id=1, end_id=0)
    admissible = ("go", "open the yellow door", "pick up a blue box", "wait")
    seen = ("a yellow door on your left,\nand a blue box", "the yellow door is open", "the red ball")
    played = PlayedText(
        *("toy-v0", 20_000_000, "go to the red ball", seen, ("wait", "go"), (0.0, 1.0), (0.0, 0.0, 1.0)),
        *((admissible,) * 3, True, True, False),
    )
    talk = conversation(f"a box {STRANGERS}", "open it", "a key", "pick up the key", unasked=(2,))
    long = conversation(
        *[text for number in range(LONG) for text in (f"box {number}", f"go to box {number}")], source="toy:long"
    )
    forms = {role: (f"{role} ", "") for role in ("system", "user", "assistant", "tool")}
    form = ChatForm(forms, rooms={"observation": 8, "action": 4})
    torch.manual_seed(0)
    sizes = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, max_position_embeddings=200)
    inner = BertForMaskedLM(BertConfig(vocab_size=codec.size, initializer_range=0.2, **sizes))
    model = MaskedLanguageModel(inner, codec.mask_id).eval()
    recorded = [played.conversation(), talk, long]
    return TextScenes(model, codec, form, 200, "toy-v0", recorded, SHORTENINGS["parts"])


@pytest.fixture(scope="session")
def text_app(text_scenes):
    return application(text_scenes, about("best.pt", "test", text_scenes))


@pytest.fixture(scope="session")
def text_client(text_app):
    with TestClient(text_app, base_url=f"http://{HOST}") as client:
        yield client


@pytest.fixture(scope="session")
def play_in(text_scenes):
    """``play_in("ToyRow-v0", limit=200)``: scenes of a text world without recorded episodes."""

    def scenes(env_id, limit=200):
        model, codec, form = text_scenes.model, text_scenes.codec, text_scenes.form
        stage = TextStage(TextChooser.of(model, codec, form, limit), env_id)
        return TextScenes(model, codec, form, limit, env_id, [], stage=stage)

    return scenes


@pytest.fixture(scope="session")
def world_scenes(play_in):
    return play_in("ToyRow-v0")


@pytest.fixture(scope="session")
def world_app(world_scenes):
    return application(world_scenes, about("best.pt", "test", world_scenes))


@pytest.fixture(scope="session")
def world_client(world_app):
    with TestClient(world_app, base_url=f"http://{HOST}") as client:
        yield client
