"""Splits follow the tasks: instructions, greetings and acknowledgements are found by what repeats, in any language."""

import json
import random

import pytest
from chat_files import read_chats, spoken, write_chats

from anyorder.data.importers.chats.importing import ImportSpec, import_chats
from anyorder.data.importers.chats.tasks import task_of
from anyorder.data.text_storage import read_text_split
from anyorder.errors import AnyOrderError

THINGS = [f"{color} {thing}" for color in ("red", "blue", "pale", "old") for thing in ("pan", "cup", "egg", "fork")]


def parts_of(trajectory):
    return "".join(turn.part[0] for turn in trajectory.turns)


def chores(rules, acknowledgements, act, num=48):
    """Conversations under the same rules about three tasks for each thing, with these acknowledgements."""
    lines = []
    for number in range(num):
        thing = THINGS[number % 16]
        said = acknowledgements[number % len(acknowledgements)]
        lines.append(spoken(rules, said, f"{thing}, {number // 16}", act(thing), f"{thing} !", act("end")))
    return lines


@pytest.mark.parametrize(
    ("rules", "acknowledgements", "act"),
    [
        ("You are a robot.", ["OK."], lambda thing: f"Action: take {thing}"),
        ("Du bist ein Roboter.", ["Verstanden, ich lese die Regeln."], lambda thing: f"Aktion: nimm {thing}"),
        ("你是一个机器人。", ["好的,我明白了。", "没问题。"], lambda thing: f"动作: {thing}"),
        ("You are a robot.", ["Fine, I shall do so.", "Ready when you are!", "Happy to help."], lambda thing: f"take {thing}"),
    ],
)
def test_an_acknowledgement_in_any_wording_is_part_of_the_mission(tmp_path, rules, acknowledgements, act):
    found = read_chats(tmp_path, *chores(rules, acknowledgements, act))
    assert {parts_of(trajectory) for trajectory in found} == {"mmoaoa"}
    assert len({task_of(trajectory) for trajectory in found}) == 48


def test_attempts_lie_together_however_they_acknowledge(tmp_path):
    lines = chores("Rules.", ["Fine.", "Ready!", "Yes."], lambda thing: f"take {thing}", num=16)
    for number, line in enumerate(chores("Rules.", ["Ready!", "Yes."], lambda thing: f"take {thing}", num=16)):
        lines.append(line | {"attempt": number})
    assert len({task_of(trajectory) for trajectory in read_chats(tmp_path, *lines)}) == 16


@pytest.mark.parametrize(
    "greetings", [["Hello, what can I do for you?"], ["Guten Tag!", "Womit kann ich dienen?", "Ja bitte?"]]
)
@pytest.mark.parametrize("system", [True, False])
def test_a_greeting_is_no_task_and_what_the_user_answers_is(tmp_path, greetings, system):
    lines = []
    for number in range(40):
        texts = [greetings[number % len(greetings)], f"Parcel {number} is late.", f"I look up {number}.", "Thanks", "Bye."]
        messages = [{"role": ("assistant", "user")[n % 2], "content": text} for n, text in enumerate(texts)]
        lines.append({"messages": [{"role": "system", "content": "Support."}] * system + messages})
    found = read_chats(tmp_path, *lines)
    assert {parts_of(trajectory) for trajectory in found} == {"m" * system + "mmaoa"}
    assert len({task_of(trajectory) for trajectory in found}) == 40


def test_several_environments_in_one_file_that_are_acknowledged_alike(tmp_path):
    lines = [line for n in range(3) for line in chores(f"Rules {n}.", ["Okay"], lambda thing: f"Action: take {thing}", num=16)]
    found = read_chats(tmp_path, *lines)
    assert {parts_of(trajectory) for trajectory in found} == {"mmoaoa"}


HELLO = ["Hi", "Hallo", "你好", "Bonjour"]
OFFERS = ["How can I help?", "Wie kann ich helfen?", "有什么可以帮您?", "Que puis-je faire ?"]


def small_talk(*before):
    """Conversations that begin with the same rounds, and then come to a task of their own."""
    return [spoken(*before, f"Book flight {n}.", f"Booking {n}", "Thanks", f"Flight {n} is booked.") for n in range(40)]


@pytest.mark.parametrize(
    "before", [("Hi", "Hello!", "How are you?", "Fine."), ("Du bist ein Roboter.", "Gut.", "In JSON.", "Ja.")]
)
def test_several_rounds_before_the_task_are_the_mission(tmp_path, before):
    found = read_chats(tmp_path, *small_talk(*before))
    assert {parts_of(trajectory) for trajectory in found} == {"mmmmoaoa"}
    assert len({task_of(trajectory) for trajectory in found}) == 40


def test_greetings_in_several_languages_are_no_tasks(tmp_path):
    draw = random.Random(0)
    lines = [
        spoken(draw.choice(HELLO), draw.choice(OFFERS), f"Book flight {n}.", f"Booking {n}", "Thanks", f"Flight {n} is booked.")
        for n in range(80)
    ]
    found = read_chats(tmp_path, *lines)
    assert {parts_of(trajectory) for trajectory in found} == {"mmoaoa"}
    assert len({task_of(trajectory) for trajectory in found}) == 80


def test_attempts_at_tasks_that_are_answered_by_phrases_stay_together(tmp_path):
    draw = random.Random(0)
    phrases = ["Sure, your number?", "Happy to help, which number?", "Of course. The number?"]
    lines = [
        spoken(
            f"My parcel {n} is late.", draw.choice(phrases), draw.choice(["It is", "Number"]) + f" {n * 97} {trial}", "Sent."
        )
        for n in range(20)
        for trial in range(8)
    ]
    assert len({task_of(trajectory) for trajectory in read_chats(tmp_path, *lines)}) == 20


def guessing(number):
    draw = random.Random(number)
    return spoken(
        "Guess my animal.", f"Is it a {draw.choice(THINGS)}?", "No.", f"Is it a {draw.choice(THINGS)}?", "Yes.", "Is it?"
    )


ACTIONS = {
    "every conversation has its own task": [
        spoken(f"Find {t} {n}", "Let us look.", "ok", "done") for t in THINGS for n in "ab"
    ],
    "the first action is like the later ones": chores("Clean up.", ["Action: look"], lambda thing: f"Action: take {thing}"),
    "attempts at one task": [guessing(number) for number in range(30)],
    "the answer tells what comes next": [
        spoken("Explore.", f"To the {t} now", f"Here is the {t}", f"take {t}", "taken", "end") for t in THINGS * 2
    ],
    "nobody acts after it": [spoken("Rules.", "OK", f"task {n}") for n in range(20)],
    "too few to know": [spoken("Rules.", "OK", f"task {n}", "a", "b", "c") for n in range(3)],
    "the same attempts again and again": [spoken("Clean up.", "Looking", "a room", "taking", "taken", "end")] * 20,
}


@pytest.mark.parametrize("name", ACTIONS)
def test_a_first_action_stays_an_action(tmp_path, name):
    found = read_chats(tmp_path, *ACTIONS[name])
    assert {parts_of(trajectory)[:2] for trajectory in found} == {"ma"}


def test_a_wrong_first_answer_that_is_excluded_does_not_change_the_task(tmp_path):
    lines = [spoken(f"{n} + {n}?", f"{n * 3}", "No.", f"{n * 2}") for n in range(1, 20)]
    for line in lines:
        line["messages"][1]["weight"] = 0
    first_try = [spoken(f"{n} + {n}?", f"{n * 2}") for n in range(1, 20)]
    found = read_chats(tmp_path, *lines, *first_try)
    assert {parts_of(trajectory) for trajectory in found} == {"maoa", "ma"}
    assert len({task_of(trajectory) for trajectory in found}) == 19


def reworded(number):
    return spoken(f"wording {number}", f"answer {number}") | {
        "info": {"task_id": number % 12, "trial": number},
        "run": f"r{number}",
    }


def test_a_field_names_the_task(tmp_path):
    path = write_chats(tmp_path / "a.jsonl", *[reworded(number) for number in range(60)])
    shares = {"validation": 0.25, "test": 0.25}
    manifest = import_chats([path], tmp_path / "loose", ImportSpec(**shares))
    (note,) = manifest.spec["notes"]
    assert "--task_key info.task_id" in note and "12 values" in note and "trial" not in note and "run" not in note
    manifest = import_chats([path], tmp_path / "tasks", ImportSpec(**shares, task_key="info.task_id"))
    assert "notes" not in manifest.spec and manifest.spec["task_key"] == "info.task_id"
    line = lambda trajectory: json.loads(trajectory.others)["line"]  # noqa: E731
    tasks = [{line(t)["info"]["task_id"] for t in read_text_split(tmp_path / "tasks", name)} for name in manifest.splits]
    assert len(tasks) == 3 and sum(map(len, tasks)) == len(set().union(*tasks)) == 12


def test_a_line_without_that_field_is_a_wrong_line(tmp_path):
    path = write_chats(tmp_path / "a.jsonl", reworded(1), spoken("a", "b"))
    with pytest.raises(AnyOrderError, match="a.jsonl, line 2: expected the field info.task_id that --task_key names"):
        import_chats([path], tmp_path / "data", ImportSpec(task_key="info.task_id"))
    manifest = import_chats([path], tmp_path / "data", ImportSpec(task_key="info.task_id", skip_bad_lines=True))
    assert [line["line"] for line in manifest.spec["skipped_lines"]] == [2]


@pytest.mark.parametrize(
    ("lines", "spec", "told"),
    [
        ([spoken("one task", f"answer {n}") for n in range(30)], {}, ["all 30 conversations have one task", "--task_key"]),
        (
            [spoken(f"task {n}", "a") for n in range(3)],
            {"seed": 1},
            ["validation and test are empty", "--validation", "--seed"],
        ),
        ([spoken(f"task {n}", "a") for n in range(40)], {"validation": 0}, ["as --validation 0 asks", "last weights"]),
        (
            [spoken(f"task {n}", "a") for n in range(3)],
            {"validation": 0.1, "test": 0.89},
            ["train", "lower --validation and --test"],
        ),
    ],
)
def test_empty_splits_are_told_with_a_remedy(tmp_path, lines, spec, told):
    manifest = import_chats([write_chats(tmp_path / "a.jsonl", *lines)], tmp_path / "data", ImportSpec(**spec))
    (note,) = manifest.spec["notes"]
    assert all(part in note for part in told)


def test_good_splits_need_no_note(tmp_path):
    path = write_chats(tmp_path / "a.jsonl", *[spoken(f"task {n}", "a") | {"id": n} for n in range(200)])
    assert "notes" not in import_chats([path], tmp_path / "data", ImportSpec()).spec
