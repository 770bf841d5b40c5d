/* The chosen view, large: as the model is shown it (a click hides a cell there), and as the model rebuilt it. */
import { DROPPED, HIDDEN, TARGET } from "/page/elements.js";
import { percent } from "/page/strip.js";
import { rebuiltFrame, shownFrame } from "/page/frames.js";

const { View, nameOf } = window.anyorder;
const ROLE_WORDS = { shown: "shown", asked: "hidden and asked for", hidden: "hidden", dropped: "removed" };
const COMPASS = ["→", "↓", "←", "↑"];
const byId = (id) => document.getElementById(id);

export class Desk {
  /** `onPick(x, y)`: a cell is to be hidden or shown; `onPoint(x, y)`: one is looked at; `onSingle(name)`: the direction
   * or the action of the view is to be hidden or shown. */
  constructor(atlas, about, { onPick, onPoint, onSelect, onSingle }) {
    Object.assign(this, { atlas, names: about.names });
    const [columns, rows] = about.view;
    const options = { columns, rows, onPoint, describe: (x, y) => this._words(x, y) };
    this.shown = new View(byId("shown"), atlas, { ...options, onPick });
    this.rebuilt = new View(byId("rebuilt"), atlas, { ...options, onPick: onSelect });
    for (const name of ["direction", "action"]) byId(name).addEventListener("click", () => onSingle(name));
  }

  show(state) {
    this.state = state;
    const { frame } = state.selected;
    byId("view-title").textContent = `View ${frame} of ${state.episode.last}`;
    const shown = shownFrame(state, frame), rebuilt = rebuiltFrame(state, frame);
    this.seen = shown;
    this._put(this.shown, shown);
    // Without a question nothing is rebuilt; the page shows the same view again, pale.
    this._put(this.rebuilt, rebuilt || shown);
    byId("rebuilt").classList.toggle("idle", !rebuilt);
    byId("rebuilt-note").textContent = rebuilt ? score(rebuilt.marks) : "nothing is asked here";
    this._single("direction", state.episode.direction(frame), (value) => `${COMPASS[value]} faces ${this.names.direction[value]}`);
    this._single("action", state.episode.action(frame), (value) => `then: ${this.names.action[value]}`);
  }

  focus(x, y) {
    this.shown.focus(x, y);
  }

  _put(view, frame) {
    const { selected } = this.state;
    const number = selected.kind === "cell" ? selected.x * view.rows + selected.y : -1;
    view.show({ ...frame, selected: frame.cells.map((_, place) => place === number) });
    frame.kinds.forEach((kind, place) => {
      view.cell(Math.floor(place / view.rows), place % view.rows).classList.toggle("unasked", kind === "hidden");
      view.cell(Math.floor(place / view.rows), place % view.rows).classList.toggle("dropped", kind === "dropped");
    });
  }

  _single(name, element, say) {
    const button = byId(name), { episode, roles, reply, selected } = this.state;
    button.hidden = element === null;
    if (element === null) return;
    const role = Number(roles[element]), told = reply && reply.singles.get(`${name} ${selected.frame}`);
    const answered = told && reply.targets.get(element);
    button.className = ["single", told && (told.right ? "right" : "wrong")].filter(Boolean).join(" ");
    button.setAttribute("aria-pressed", String(role === TARGET || role === HIDDEN || role === DROPPED));
    const kept = { [TARGET]: "asked", [HIDDEN]: "hidden", [DROPPED]: "removed" }[role];
    button.textContent = answered ? `${say(answered.value)}, ${percent(answered.probability)} ${told.right ? "✓" : "✕"}`
      : kept ? `${name} ${kept}` : say(episode.truth(element));
    button.title = `${say(episode.truth(element))}; press to ${kept ? "show" : "hide"} the ${name}`;
  }

  _words(x, y) {
    const { reply, selected } = this.state, place = x * this.shown.rows + y;
    const name = nameOf(this.atlas, this.seen.cells[place]);
    const told = reply && reply.cells.get(selected.frame) && reply.cells.get(selected.frame).get(`${x},${y}`);
    const answer = told ? `; the model says ${told.answer}, ${percent(told.probability)}, ${told.right ? "right" : "wrong"}` : "";
    return `column ${x + 1}, row ${y + 1}: ${name}, ${ROLE_WORDS[this.seen.kinds[place]]}${answer}`;
  }
}

function score(marks) {
  const asked = marks.filter(Boolean).length, right = marks.filter((mark) => mark === 1).length;
  return `${right} of ${asked} asked ${asked === 1 ? "cell" : "cells"} right`;
}
