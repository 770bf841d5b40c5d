/* The episode as a film: its views as the model is shown them or rebuilt them, with the actions between them. */
import { DROPPED, HIDDEN, TARGET } from "/page/elements.js";
import { rebuiltFrame, shownFrame } from "/page/frames.js";

const { View, element } = window.anyorder;
export const ARROWS = { left: "↶", right: "↷", forward: "↑", pickup: "⤒", drop: "⤓", toggle: "⇄", done: "✓" };
const SIGNS = { asked: "?", hidden: "–", removed: "✕" };

/** A small picture of a view; what is hidden and what is right is painted on it, as there are no cells to point at. */
class Thumb extends View {
  constructor(host, atlas, episode) {
    super(host, atlas, { columns: episode.columns, rows: episode.rows, plain: true });
    const style = getComputedStyle(document.documentElement);
    this.paints = Object.fromEntries(["hidden", "right", "wrong"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  /** Draw, but only if the picture has changed. */
  showNew(frame) {
    const text = JSON.stringify(frame);
    if (text !== this.text) this.show(frame);
    this.text = text;
  }

  _draw() {
    super._draw();
    if (!this.frame || !this.host.clientWidth) return;
    const brush = this.canvas.getContext("2d"), size = this.canvas.width / this.columns;
    this.frame.cells.forEach((_, number) => {
      const left = Math.floor(number / this.rows) * size, top = (number % this.rows) * size;
      const hidden = this.frame.hidden[number], mark = this.frame.marks ? this.frame.marks[number] : 0;
      if (hidden) {
        brush.globalAlpha = hidden === 7 ? 1 : 0.6;
        brush.fillStyle = this.frame.kinds[number] === "dropped" ? "#000" : this.paints.hidden;
        brush.fillRect(left, top, size, size);
        brush.globalAlpha = 1;
      }
      if (mark) {
        brush.lineWidth = Math.max(2, size / 6);
        brush.strokeStyle = mark === 1 ? this.paints.right : this.paints.wrong;
        brush.strokeRect(left + brush.lineWidth / 2, top + brush.lineWidth / 2, size - brush.lineWidth, size - brush.lineWidth);
      }
    });
  }
}

/**
 * A film in the list `host`. `onView(step)`: a view was chosen; `onAction(step)`: the action after it was pressed.
 */
export class Strip {
  constructor(host, atlas, names, { onView, onAction }) {
    Object.assign(this, { host, atlas, names, onView, onAction });
    host.addEventListener("keydown", (event) => this._key(event));
  }

  /** Another episode, or a longer one. */
  rebuild(episode) {
    this.host.replaceChildren();
    this.steps = episode.frames.map((_, step) => this._step(episode, step));
  }

  show(state) {
    const { episode, selected } = state;
    this.steps.forEach((parts, step) => {
      const shown = shownFrame(state, step), rebuilt = rebuiltFrame(state, step);
      parts.picture.showNew(rebuilt || shown);
      const hidden = shown.hidden.filter(Boolean).length;
      parts.view.classList.toggle("removed", shown.kinds.every((kind) => kind === "dropped"));
      parts.view.setAttribute("aria-label", `view ${step}${hidden ? `, ${hidden} cells hidden` : ""}${words(rebuilt)}`);
      parts.view.setAttribute("aria-current", step === selected.frame ? "true" : "false");
      if (parts.action) this._dress(parts.action, state, step, episode.actions[step]);
    });
  }

  reveal(step, smoothly = true) {
    const { offsetLeft, offsetWidth } = this.steps[step].item;
    const left = offsetLeft - (this.host.clientWidth - offsetWidth) / 2;
    this.host.scrollTo({ left, behavior: smoothly && matchMedia("(prefers-reduced-motion: no-preference)").matches ? "smooth" : "auto" });
  }

  _step(episode, step) {
    const item = element("li", { class: "strip-step" }, this.host);
    const view = element("button", { type: "button", class: "strip-view", "data-step": step }, item);
    view.addEventListener("click", () => this.onView(step));
    const number = element("span", { class: "strip-number", "aria-hidden": "true" }, view);
    number.textContent = step;
    const picture = new Thumb(element("span", { class: "thumb" }, view), this.atlas, episode);
    const action = step < episode.last ? element("button", { type: "button", class: "strip-action" }, item) : null;
    if (action) action.addEventListener("click", () => this.onAction(step));
    return { item, view, picture, action };
  }

  _dress(button, { episode, roles, reply }, step, truth) {
    const role = Number(roles[episode.action(step)]);
    const told = reply && reply.singles.get(`action ${step}`);
    const name = this.names.action[truth];
    const hidden = { [TARGET]: "asked", [HIDDEN]: "hidden", [DROPPED]: "removed" }[role];
    button.className = ["strip-action", hidden, told && (told.right ? "right" : "wrong")].filter(Boolean).join(" ");
    const answer = told ? `${told.answer} ${percent(told.probability)}` : "";
    button.replaceChildren(line(told ? ARROWS[told.answer] : SIGNS[hidden] || ARROWS[name], "sign"), line(told ? told.answer : hidden || name, "name"));
    if (told) button.append(line(percent(told.probability), "name"));
    button.title = `action ${step}: ${name}`;
    const rated = told ? `; the model says ${answer}, ${told.right ? "right" : "wrong"}` : "";
    button.setAttribute("aria-label", `action ${step}, ${name}, ${hidden || "shown"}${rated}`);
    button.setAttribute("aria-pressed", String(Boolean(hidden)));
  }

  _key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const view = event.target.closest(".strip-view");
    if (!by || !view) return;
    const next = this.steps[Number(view.dataset.step) + by];
    if (!next) return;
    event.preventDefault();
    next.view.focus();
    next.view.click();
  }
}

export const percent = (share) => (share > 0.995 && share < 1 ? ">99%" : share < 0.01 && share > 0 ? "<1%" : `${Math.round(100 * share)}%`);

function words(rebuilt) {
  if (!rebuilt) return "";
  const wrong = rebuilt.marks.filter((mark) => mark === 2).length;
  return `, rebuilt with ${wrong || "no"} wrong ${wrong === 1 ? "cell" : "cells"}`;
}

function line(text, kind) {
  const made = document.createElement("span");
  made.className = kind;
  made.textContent = text;
  return made;
}
