/* One element of the episode: what is true, what the model is shown, and how probable it finds each value. */
import { ATTRIBUTES, CONTEXT, DROPPED, HIDDEN, TARGET } from "/page/elements.js";
import { code } from "/page/frames.js";
import { percent } from "/page/strip.js";

const { element, nameOf } = window.anyorder;
const AS_A_WHOLE = {
  [CONTEXT]: "The model is shown all of it.",
  [HIDDEN]: "It is hidden, and not asked for.",
  [DROPPED]: "It is removed, as if it did not exist.",
};

/** Fill `host` with what `at` ({kind: "cell" | "direction" | "action", frame, x, y}) is about. */
export function inspect(host, atlas, { names, last_background: lastBackground }, state, at) {
  host.replaceChildren();
  const { episode } = state;
  if (at.kind === "cell") {
    const elements = episode.cell(at.frame, at.x, at.y);
    const truth = elements.map((one) => episode.truth(one));
    text(host, "p", `Column ${at.x + 1}, row ${at.y + 1} of view ${at.frame}: `, nameOf(atlas, code(...truth)));
    const role = Number(state.roles[elements[0]]);
    if (role !== TARGET && elements.every((one) => Number(state.roles[one]) === role)) return text(host, "p", AS_A_WHOLE[role]);
    elements.forEach((one, number) => attribute(host, names, state, one, ATTRIBUTES[number]));
    if (truth[0] <= lastBackground) text(host, "p", "In MiniGrid, the color of unseen and empty cells is red, and that of walls is grey.");
  } else {
    const one = at.kind === "action" ? episode.action(at.frame) : episode.direction(at.frame);
    if (one === null) return text(host, "p", "The last view has no action.");
    text(host, "p", `${at.kind === "action" ? "Action" : "Direction"} of view ${at.frame}: `, valueName(names, at.kind, episode.truth(one)));
    attribute(host, names, state, one, at.kind);
  }
}

function attribute(host, names, { episode, roles, reply }, one, name) {
  const role = Number(roles[one]), told = reply && reply.targets.get(one);
  const heading = element("h3", { class: "attribute" }, host);
  heading.textContent = name;
  const truth = episode.truth(one);
  if (role === CONTEXT) return text(host, "p", "shown: ", valueName(names, name, truth));
  if (role !== TARGET) return text(host, "p", role === DROPPED ? "removed, as if it did not exist" : "hidden, and not asked for");
  if (!told) return text(host, "p", "asked …");
  const list = element("ul", { class: "chances" }, host);
  const values = told.values || [[told.value, told.probability]];
  for (const [value, share] of values.filter(([, share], place) => place < 2 || share >= 0.005)) {
    chance(list, valueName(names, name, value), share, { chosen: value === told.value, truth: value === truth });
  }
  if (!values.some(([value]) => value === truth)) text(host, "p", "true: ", valueName(names, name, truth));
  if (!told.values) text(host, "p", "Several passes decided; this is the probability of the value when it was chosen.");
}

/** One bar of a list of probabilities; a `button` may take the place of the plain name. */
export function chance(list, name, share, { chosen = false, truth = false, button = null } = {}) {
  const item = element("li", { class: [chosen ? "chosen" : "", truth ? "truth" : ""].filter(Boolean).join(" ") }, list);
  if (button) item.append(button);
  else element("span", { class: "value-name" }, item).textContent = name;
  const track = element("span", { class: "track", "aria-hidden": "true" }, item);
  element("span", { class: "fill" }, track);
  element("span", { class: "value" }, item);
  setShare(item, share);
  if (truth) element("span", { class: "is-true" }, item).textContent = "true";
  return item;
}

export function setShare(item, share) {
  item.querySelector(".fill").style.setProperty("--share", share);
  item.querySelector(".value").textContent = percent(share);
}

export function valueName(names, attribute, value) {
  const name = names[attribute][value];
  return attribute === "state" ? (name ? `${value} (${name})` : String(value)) : name;
}

function text(host, tag, plain, strong = "") {
  const made = element(tag, { class: "quiet" }, host);
  made.append(plain);
  if (strong) element("b", {}, made).textContent = strong;
}
