/*
 * Fields over time: a lane for each element of a step, numbers as lines and categories as coloured strips, steps from left to right.
 * Every value is a cell that mouse, finger and keyboard can press. Where something is hidden, the model's answer takes its place.
 */
import { CONTEXT, DROPPED, HIDDEN, TARGET } from "/page/elements.js";
import { number } from "/page/field_episode.js";
import { percent } from "/page/strip.js";

const { element } = window.anyorder;
const LEAST_STEP = 26, MOST_STEP = 72, HEIGHT = 84, MARGIN = 9, MOST_COLORS = 6;
export const LANES_AT_ONCE = 24;
const ROLE_CLASSES = { [CONTEXT]: "shown", [TARGET]: "asked", [HIDDEN]: "hidden", [DROPPED]: "dropped" };
const ROLE_WORDS = { shown: "shown", asked: "hidden and asked for", hidden: "hidden", dropped: "removed", none: "not there" };

export class Chart {
  /** `onPick(column, frame, extends)`: a value was pressed, with Shift if `extends`; `onPoint(column, frame)`: one is looked at;
   * `onPoint(null)`: none is any more; `onSelect(column, frame)`: the focus went there. */
  constructor(host, about, { onPick, onPoint, onSelect }) {
    Object.assign(this, { host, about, onPick, onPoint, onSelect, lanes: [] });
    host.setAttribute("role", "grid");
    host.setAttribute("aria-describedby", "chart-help");
    host.addEventListener("click", (event) => this._at(event, (column, frame) => onPick(column, frame, event.shiftKey)));
    host.addEventListener("pointerover", (event) => event.pointerType === "mouse" && this._at(event, onPoint));
    host.addEventListener("pointerleave", () => onPoint(null));
    host.addEventListener("keydown", (event) => this._key(event));
    new ResizeObserver(() => this._fit()).observe(host);
  }

  /** Another episode, or other lanes: `columns` says which. */
  rebuild(episode, columns) {
    const axis = element("div", { class: "lane axis", "aria-hidden": "true" });
    this.host.replaceChildren();
    this.host.setAttribute("aria-label", `fields over ${episode.num_frames} steps`);
    this.lanes = columns.map((column) => this._lane(episode, column));
    this.host.append(axis);
    element("span", { class: "lane-name" }, axis).textContent = "step";
    const steps = element("div", { class: "lane-cells" }, element("div", { class: "lane-plot" }, axis));
    for (let frame = 0; frame < episode.num_frames; frame++) {
      element("span", { class: "at" }, steps).textContent = episode.first_step + frame;
    }
    this.episode = episode;
    this.width = 0;
    this._fit();
  }

  show(state) {
    this.state = state;
    for (const lane of this.lanes) this._dress(lane);
    if (!this.host.querySelector('[tabindex="0"]')) this.lanes[0].cells[0].tabIndex = 0;
  }

  reveal(frame, smoothly) {
    const cell = this.lanes.length && this.lanes[0].cells[frame];
    if (!cell) return;
    const left = cell.offsetLeft + cell.offsetParent.offsetLeft - this.host.clientWidth / 2;
    const calm = smoothly && matchMedia("(prefers-reduced-motion: no-preference)").matches;
    this.host.scrollTo({ left, behavior: calm ? "smooth" : "auto" });
  }

  cell(column, frame) {
    const lane = this.lanes.find((one) => one.column === column);
    return lane && lane.cells[frame];
  }

  /* ---- what it is made of ---- */

  _lane(episode, column) {
    const field = episode.field(column), { name } = this.about.columns[column];
    const row = element("div", { class: `lane ${field.kind} ${field.part}`, role: "row", "data-lane": column }, this.host);
    const head = element("div", { class: "lane-name", role: "rowheader" }, row);
    element("b", {}, head).textContent = name;
    const range = element("small", {}, head);
    const plot = element("div", { class: "lane-plot", role: "presentation" }, row);
    const strip = element("div", { class: "lane-cells", role: "presentation" }, plot);
    const cells = Array.from({ length: episode.num_frames }, (_, frame) =>
      element("div", { class: "at", role: "gridcell", tabindex: -1, "data-column": column, "data-frame": frame }, strip));
    const picture = field.kind === "number" ? svg("svg", { class: "lane-lines", "aria-hidden": "true" }, plot) : null;
    return { column, field, cells, picture, range, name };
  }

  /** All the width there is, but no step so narrow that it cannot be pressed. */
  _fit() {
    if (!this.episode || !this.host.clientWidth) return;
    const plot = this.host.querySelector(".lane-plot");
    const beside = getComputedStyle(plot.parentElement).display === "grid" ? plot.offsetLeft : 0;
    const step = Math.min(MOST_STEP, Math.max(LEAST_STEP, Math.floor((this.host.clientWidth - beside - 2) / this.episode.num_frames)));
    if (step === this.width) return;
    this.width = step;
    this.host.style.setProperty("--step", `${step}px`);
    if (this.state) this.show(this.state);
  }

  /* ---- what it shows ---- */

  _dress(lane) {
    const { roles, selected } = this.state, { episode } = this;
    const places = lane.cells.map((cell, frame) => {
      const one = episode.element(lane.column, frame), there = episode.exists(lane.column, frame);
      const kind = there ? ROLE_CLASSES[roles[one]] : "none";
      return { frame, kind, there, truth: there ? episode.truthOf(lane.column, frame) : null, told: this._told(one, kind) };
    });
    places.forEach((place) => {
      const cell = lane.cells[place.frame];
      cell.className = `at ${place.kind}`;
      cell.classList.toggle("selected", selected.column === lane.column && selected.frame === place.frame);
      cell.setAttribute("aria-label", this._words(lane, place));
      cell.setAttribute("aria-disabled", String(!place.there));
      if (!lane.picture) this._label(cell, lane, place);
    });
    if (lane.picture) this._lines(lane, places);
  }

  _told(element_, kind) {
    return kind === "asked" && this.state.reply ? this.state.reply.get(element_) : undefined;
  }

  /** A category: its name on its colour. */
  _label(cell, lane, { kind, truth, told }) {
    cell.replaceChildren();
    const value = told ? lane.field.names.indexOf(told.answer) : kind === "shown" ? truth : null;
    if (value !== null) cell.classList.add(`c${value % MOST_COLORS}`);
    if (told) cell.classList.add(told.right ? "right" : "wrong");
    if (kind === "none") return;
    element("span", { class: "value-name" }, cell).textContent = value === null ? "" : lane.field.names[value];
    if (told) element("small", {}, cell).textContent = percent(told.probability);
    if (kind !== "shown" && this.state.truthToo) element("small", { class: "secret" }, cell).textContent = lane.field.names[truth];
  }

  _lines(lane, places) {
    const { picture } = lane, step = this.width, scale = domain(places);
    const x = (frame) => (frame + 0.5) * step, y = (value) => MARGIN + (HEIGHT - 2 * MARGIN) * (1 - (value - scale.low) / (scale.high - scale.low));
    picture.replaceChildren();
    picture.setAttribute("width", step * places.length);
    picture.setAttribute("height", HEIGHT);
    lane.range.textContent = `${number(scale.low)} to ${number(scale.high)}`;
    const line = (name, chosen, value) => {
      for (const run of runs(places, chosen)) {
        const points = run.map((place) => `${x(place.frame)},${y(value(place))}`);
        svg("polyline", { class: name, points: points.join(" ") }, picture);
        if (name !== "secret") for (const place of run) svg("circle", { class: name, cx: x(place.frame), cy: y(value(place)), r: 2.2 }, picture);
      }
    };
    for (const { frame, told } of places) if (told && told.believed) {
      const { low, high } = told.believed, wide = Math.min(16, 0.5 * step);
      const top = y(high), tall = Math.max(2, y(low) - top);
      svg("rect", { class: "band", x: x(frame) - wide / 2, y: top, width: wide, height: tall, rx: 3 }, picture);
    }
    if (this.state.truthToo) line("secret", (place) => place.there && near(places, place.frame), ({ truth }) => truth);
    line("line", ({ kind }) => kind === "shown", ({ truth }) => truth);
    line("median", ({ told }) => told, ({ told }) => middle(told));
  }

  _words(lane, { frame, kind, truth, told, there }) {
    const where = `${lane.name}, step ${this.episode.first_step + frame}`;
    if (!there) return `${where}: ${ROLE_WORDS.none}`;
    const known = `${where}: ${this.episode.said(lane.column, truth)}, ${ROLE_WORDS[kind]}`;
    return told ? `${known}; the model says ${inWords(told)}` : known;
  }

  /* ---- mouse and keyboard ---- */

  _at(event, act) {
    const cell = event.target.closest("[data-frame]");
    if (!cell) return;
    const column = Number(cell.dataset.column), frame = Number(cell.dataset.frame);
    if (this.episode.exists(column, frame)) act(column, frame);
    if (event.type === "click") this._focus(cell);
  }

  _key(event) {
    const cell = event.target.closest("[data-frame]");
    if (!cell || event.altKey || event.ctrlKey || event.metaKey) return;
    const lane = this.lanes.findIndex(({ column }) => column === Number(cell.dataset.column)), frame = Number(cell.dataset.frame);
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -frame], End: [0, this.episode.last - frame] }[event.key];
    const presses = event.key === "Enter" || event.key === " ";
    if (!move && !presses) return;
    event.preventDefault();
    if (presses) return this._at({ target: cell, type: "key" }, (column, at) => this.onPick(column, at, event.shiftKey));
    const next = this.lanes[lane + move[0]] && this.lanes[lane + move[0]].cells[frame + move[1]];
    if (!next) return;
    this._focus(next);
    this.onSelect(Number(next.dataset.column), Number(next.dataset.frame));
  }

  _focus(cell) {
    for (const other of this.host.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus({ preventScroll: false });
  }
}

/** What the model says of a number: its median where one pass answered. */
export const middle = (told) => (told.believed ? told.believed.median : told.answer);

export function inWords(told) {
  if (told.kind === "category") return `${told.answer}, ${percent(told.probability)}, ${told.right ? "right" : "wrong"}`;
  const { believed } = told;
  return believed ? `${number(believed.median)}, with 90% between ${number(believed.low)} and ${number(believed.high)}` : number(told.answer);
}

/** The lowest and the highest number of a lane, a little apart. */
function domain(places) {
  const found = places.flatMap(({ truth, told }) => [truth, told && middle(told), told && told.believed && told.believed.low, told && told.believed && told.believed.high])
    .filter((value) => Number.isFinite(value));
  const low = Math.min(...found), high = Math.max(...found);
  if (!found.length) return { low: 0, high: 1 };
  return high > low ? { low, high } : { low: low - 0.5, high: high + 0.5 };
}

/** The places that follow one another. */
function runs(places, chosen) {
  const found = [];
  places.forEach((place, number_) => {
    if (!chosen(place)) return;
    if (number_ && chosen(places[number_ - 1])) found.at(-1).push(place);
    else found.push([place]);
  });
  return found;
}

/** True for a step that is hidden, or beside one that is. */
const near = (places, frame) => [frame - 1, frame, frame + 1].some((at) => places[at] && ["asked", "hidden", "dropped"].includes(places[at].kind));

const SVG = Object.assign(document.createElement("template"), { innerHTML: "<svg></svg>" }).content.firstChild.namespaceURI;

export function svg(tag, attributes, parent) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}
