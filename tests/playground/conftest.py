"""A playground of a tiny untrained model: its answers are nonsense, but exactly the model's."""

import pytest
from starlette.testclient import TestClient

from anyorder.playground.about import about
from anyorder.playground.grid_scenes import GridScenes
from anyorder.playground.server import HOST, application

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
