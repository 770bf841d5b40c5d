/* From the state of the page to what /shared/grid.js shows. */
import { CONTEXT, DROPPED, HIDDEN, TARGET } from "/page/elements.js";

const NUM_COLORS = 6, NUM_STATES = 4;

export const code = (object, color, state) => (object * NUM_COLORS + color) * NUM_STATES + state;

/** Codes of a view, given (object, color, state) after (object, color, state). */
export function codes(cells) {
  const found = [];
  for (let place = 0; place < cells.length; place += 3) found.push(code(cells[place], cells[place + 1], cells[place + 2]));
  return found;
}

/** "dropped" if all of a cell is, else "asked" if an attribute is asked for, else "hidden" if one is not shown, else "shown". */
export function roleOfCell(roles, elements) {
  const found = elements.map((element) => Number(roles[element]));
  if (found.every((role) => role === DROPPED)) return "dropped";
  if (found.includes(TARGET)) return "asked";
  return found.some((role) => role === HIDDEN || role === DROPPED) ? "hidden" : "shown";
}

function everyCell(episode, frame, give) {
  const found = [];
  for (let x = 0; x < episode.columns; x++) for (let y = 0; y < episode.rows; y++) found.push(give(episode.cell(frame, x, y), x, y));
  return found;
}

const bits = (roles, elements, hides) =>
  elements.reduce((sum, element, attribute) => sum + (hides(Number(roles[element])) ? 1 << attribute : 0), 0);

export function shownFrame({ episode, roles }, frame) {
  return {
    cells: codes(episode.frames[frame].cells),
    hidden: everyCell(episode, frame, (elements) => bits(roles, elements, (role) => role !== CONTEXT)),
    kinds: everyCell(episode, frame, (elements) => roleOfCell(roles, elements)),
    label: `view ${frame}, as the model is shown it`,
  };
}

/** A view as the model rebuilt it; null where none of its cells was asked for. */
export function rebuiltFrame({ episode, roles, reply }, frame) {
  const told = reply && reply.cells.get(frame);
  if (!told) return null;
  const values = (elements) => elements.map((element) => (reply.targets.get(element) || { value: episode.truth(element) }).value);
  return {
    cells: everyCell(episode, frame, (elements) => code(...values(elements))),
    hidden: everyCell(episode, frame, (elements) => bits(roles, elements, (role) => role === HIDDEN || role === DROPPED)),
    kinds: everyCell(episode, frame, (elements) => roleOfCell(roles, elements)),
    marks: everyCell(episode, frame, (_, x, y) => (told.has(`${x},${y}`) ? (told.get(`${x},${y}`).right ? 1 : 2) : 0)),
    confidence: everyCell(episode, frame, (_, x, y) => (told.has(`${x},${y}`) ? Math.round(100 * told.get(`${x},${y}`).probability) : null)),
    label: `view ${frame}, as the model rebuilt it`,
  };
}

/** The server's reply, ready to be looked up by element, by view and cell, and by step. */
export function readReply(json) {
  const cells = new Map(json.answer.observations.map((view) =>
    [view.step, new Map(view.cells.map((cell) => [`${cell.column},${cell.row}`, cell]))]));
  const [words, others] = [true, false].map((of) => json.answer.elements.filter((one) => (one.attribute === "word") === of));
  const singles = new Map(others.map((single) => [`${single.attribute} ${single.step}`, single]));
  return { targets: new Map(json.targets.map((target) => [target.element, target])), cells, singles, words };
}


