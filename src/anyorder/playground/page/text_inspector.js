/* One word or turn of a conversation: what is true, what the model is shown, and what it finds probable. */
import { CONTEXT, DROPPED, TARGET } from "/page/elements.js";
import { chance } from "/page/inspector.js";
import { itemsOf } from "/page/text_episode.js";
import { percent } from "/page/strip.js";

const { element } = window.anyorder;
const MOST_CANDIDATES = 12;
const SHOWN = { shown: "The model is shown it.", asked: "asked …", hidden: "It is hidden, and not asked for.", removed: "It is removed, as if it did not exist." };

/** Fill `host` with what `at` ({turn, word}) is about; word -1: the whole turn. */
export function inspectText(host, state, { turn, word }) {
  host.replaceChildren();
  const one = itemsOf(state, turn)[word], name = state.episode.name(turn);
  if (one && state.episode.turns[turn].askable) aboutWord(host, one, `Word ${word + 1} of ${name}: `);
  else aboutTurn(host, state, turn, name);
  candidates(host, state, turn);
}

function aboutWord(host, { kind, told, truth }, name) {
  const secret = told ? told.truth : truth;
  text(host, name, told ? secret || "the end" : secret || "all of it");
  if (!told) return text(host, SHOWN[kind]);
  const list = element("ul", { class: "chances" }, host);
  const values = told.alternatives.length ? told.alternatives : [[told.answer, told.probability]];
  for (const [value, share] of values) chance(list, value || "⟨end⟩", share, { chosen: value === told.answer, truth: value === secret });
  if (!told.alternatives.length) text(host, "Several passes decided; this is the probability of the word when it was chosen.");
}

function aboutTurn(host, { episode, roles, reply }, number, name) {
  const turn = episode.turns[number], told = reply && reply.get(number), role = episode.whole(roles, number);
  text(host, "", name);
  if (!turn.askable) text(host, "The model never learned to say such turns. They can be removed, and are shown otherwise.");
  if (role === CONTEXT && turn.askable) text(host, SHOWN.shown);
  if (role === DROPPED) text(host, SHOWN.removed);
  if (role === TARGET && !told) text(host, SHOWN.asked);
  if (!told) return;
  text(host, "It says: ", told.answer || "nothing");
  text(host, "In truth: ", told.truth || "nothing");
  const each = told.probability ** (1 / told.num_tokens);
  text(host, "Probability: ", `${percent(told.probability)}, ${percent(each)} for each of ${told.num_tokens} ${told.num_tokens === 1 ? "token" : "tokens"}`);
  if (told.truth_probability !== null) text(host, "Of the truth: ", percent(told.truth_probability));
}

/** What could be done there, where somebody knows. */
function candidates(host, { episode, reply }, number) {
  const told = reply && reply.get(number);
  if (!told || !told.candidates.length) return;
  const heading = element("h3", { class: "attribute" }, host), list = element("ul", { class: "chances candidates" }, host);
  heading.textContent = `of ${told.candidates.length} admissible actions`;
  const truth = episode.turns[number].words.map((word) => word.text).join("").trim();
  told.candidates.forEach(([action, share], place) => {
    if (place < MOST_CANDIDATES || action === truth) chance(list, action, share, { chosen: place === 0, truth: action === truth });
  });
}

function text(host, plain, strong = "") {
  const made = element("p", { class: "quiet" }, host);
  made.append(plain);
  if (strong) element("b", {}, made).textContent = strong;
}
