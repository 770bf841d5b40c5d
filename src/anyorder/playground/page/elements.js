/*
 * An episode in a grid: its elements and their roles. Elements are numbered as the server does: mission words, then for every view
 * its cells column by column (object, color, state each), its direction, its return, the action taken there.
 */
export const DROPPED = 0, CONTEXT = 1, HIDDEN = 2, TARGET = 3;
export const ATTRIBUTES = ["object", "color", "state"];
const AFTER_CELLS = 3;

export class Episode {
  constructor(json) {
    Object.assign(this, json);
    this.numCells = this.columns * this.rows;
    this.perFrame = 3 * this.numCells + AFTER_CELLS;
    this.shown = this.roles; // the roles while nothing is hidden
  }

  get last() {
    return this.frames.length - 1;
  }

  first(frame) {
    return this.num_words + frame * this.perFrame;
  }

  /** Elements of a cell: object, color, state. */
  cell(frame, x, y) {
    const start = this.first(frame) + 3 * (x * this.rows + y);
    return [start, start + 1, start + 2];
  }

  direction(frame) {
    return this.first(frame) + 3 * this.numCells;
  }

  /** The element of the action after a view; the last view has none. */
  action(frame) {
    return frame < this.last ? this.first(frame) + 3 * this.numCells + 2 : null;
  }

  view(frame) {
    return Array.from({ length: 3 * this.numCells + 1 }, (_, place) => this.first(frame) + place);
  }

  words() {
    return Array.from({ length: this.num_words }, (_, element) => element);
  }

  /** The true number of an element of a view, or of an action. */
  truth(element) {
    const frame = Math.floor((element - this.num_words) / this.perFrame);
    const place = element - this.first(frame);
    if (place < 3 * this.numCells) return this.frames[frame].cells[place];
    return place === 3 * this.numCells ? this.frames[frame].direction : this.actions[frame];
  }

  /** The mission, as people read it. */
  called() {
    return `“${this.mission}”`;
  }

  /** What a press on the mission does to its words. */
  missionRole(brush) {
    return brush;
  }

  /** The mission with what the model said in the place of its words that were asked for; empty while it has said nothing. */
  guessed(roles, said) {
    const answers = said.map(({ answer }) => answer), words = this.mission.split(/\s+/).filter(Boolean);
    return said.length ? `the model says “${words.map((word, at) => (Number(roles[at]) === TARGET ? answers.shift() : word)).join(" ")}”` : "";
  }

  length() {
    return `${this.actions.length} ${this.actions.length === 1 ? "action" : "actions"}`;
  }

  /** Roles of this episode from those of the same a step later or earlier: what was hidden stays hidden. */
  carried(roles, before) {
    const changed = [...this.shown];
    for (let element = 0; element < Math.min(roles.length, changed.length); element++) {
      if (before.shown[element] !== "0" && this.shown[element] !== "0") changed[element] = roles[element];
    }
    return changed.join("");
  }

  /** Roles in which each cell of the last view is hidden and asked for with probability `share`. */
  hidden(roles, share) {
    let changed = roles;
    for (let x = 0; share && x < this.columns; x++) for (let y = 0; y < this.rows; y++) {
      if (Math.random() < share) changed = toggled(changed, this.cell(this.last, x, y), TARGET);
    }
    return changed;
  }

  /** The elements that a click on a cell changes. */
  grain(name, frame, x, y) {
    if (name === "view") return this.view(frame);
    const cell = this.cell(frame, x, y);
    return name === "cell" ? cell : [cell[ATTRIBUTES.indexOf(name)]];
  }
}

/** Roles (a string of digits) in which the elements have this role, or are shown again if all of them have it. */
export function toggled(roles, elements, role) {
  const changed = [...roles];
  const back = elements.every((element) => Number(roles[element]) === role);
  for (const element of elements) changed[element] = back ? CONTEXT : role;
  return changed.join("");
}
