/*
 * A conversation, or a part of it: its elements are tokens, numbered as the server does, and their roles. A turn stands in a room:
 * its words, and the elements that fill the rest; marks stand around it.
 */
import { CONTEXT, DROPPED, HIDDEN, TARGET, toggled } from "/page/elements.js";

export class TextEpisode {
  constructor(json) {
    Object.assign(this, json);
    this.shown = this.roles; // the roles while nothing is hidden
  }

  /** The step of the last turn, counted from the part's first one as questions do. */
  get last() {
    return Math.max(0, ...this.turns.map(({ step }) => step));
  }

  name(number) {
    const { part, step, role } = this.turns[number];
    if (part !== "mission") return `${part} ${step}`;
    return this.turns.filter((turn) => turn.part === part).length > 1 ? `mission (${role})` : part;
  }

  /** The elements of a turn's room. */
  places(number) {
    const { words, filling } = this.turns[number];
    return [...words.flatMap(({ elements }) => elements), ...filling];
  }

  /** The role that all of a turn's room has; null where there are several, or nothing stands there. */
  whole(roles, number) {
    return common(roles, this.places(number));
  }

  /** The role of a word; of several, the one that hides the most. */
  roleOf(roles, { elements }) {
    const found = new Set(elements.map((element) => Number(roles[element])));
    return [TARGET, HIDDEN, DROPPED, CONTEXT].find((role) => found.has(role));
  }

  /** Roles after a press: elements of a turn get a role, or are shown again. The turn's marks stay while anything of it does. */
  pressed(roles, number, elements, brush) {
    const changed = [...toggled(roles, elements, brush)], places = this.places(number), inside = new Set(places);
    const gone = places.every((place) => Number(changed[place]) === DROPPED);
    const [first, after] = this.turns[number].elements;
    for (let element = first; element < after; element++) if (!inside.has(element)) changed[element] = gone ? DROPPED : CONTEXT;
    return changed.join("");
  }

  /** The mission is a turn like the others. */
  words() {
    return [];
  }

  called() {
    return "the mission";
  }

  /** It is never asked for: a press removes it. */
  missionRole() {
    return DROPPED;
  }

  guessed() {
    return "";
  }

  length() {
    const score = this.score === null ? "" : `, score ${Number(this.score.toFixed(2))}`;
    return `${this.num_actions} ${this.num_actions === 1 ? "action" : "actions"}${score}`;
  }

  /** Roles of this episode from those of the same a step later or earlier: what was hidden stays hidden. Turns that the model
   *  no longer reads are gone, so turns are found by their steps. */
  carried(roles, before) {
    const changed = [...this.shown], known = new Map(before.turns.map((turn, number) => [before.key(number), turn.elements]));
    this.turns.forEach(({ elements: [first, after] }, number) => {
      const [start, end] = known.get(this.key(number)) || [0, 0];
      if (end - start !== after - first) return;
      for (let place = 0; place < after - first; place++) changed[first + place] = roles[start + place];
    });
    return changed.join("");
  }

  /** What a turn is called in all that the model reads of an episode as it goes on. */
  key(number) {
    const { part, step } = this.turns[number];
    return `${part} ${step < 0 ? step : step + this.first_step}`;
  }

  /** Roles in which each word of the last turn is hidden with probability `share`; words that the model never learned to say are
   *  removed. */
  hidden(roles, share) {
    const changed = [...roles], { words, askable } = this.turns[this.turns.length - 1];
    for (const { elements } of share ? words : []) {
      if (Math.random() < share) for (const element of elements) changed[element] = askable ? TARGET : DROPPED;
    }
    return changed.join("");
  }
}

/** What is drawn of a turn, in its order: {text, kind, elements, told, truth, gap}; kind is "shown", "asked", "hidden", "removed" or
 *  "told", gap what stands between it and the next one. */
export function itemsOf({ episode, roles, reply }, number) {
  const turn = episode.turns[number], told = reply && reply.get(number), whole = episode.whole(roles, number);
  if (whole === TARGET && told) return told.words.map((word) => ({ text: word.answer, kind: "told", elements: word.elements, told: word }));
  if (whole === TARGET || whole === HIDDEN) {
    const places = episode.places(number).length;
    return [{ text: `${whole === TARGET ? "?" : "–"} room for ${places} tokens`, kind: whole === TARGET ? "asked" : "hidden", elements: [] }];
  }
  if (whole === DROPPED) return [{ text: "✕ removed", kind: "removed", elements: [] }];
  const answers = new Map(told ? told.words.map((word) => [word.elements[0], word]) : []);
  const words = turn.words.map((word) => item(word, episode.roleOf(roles, word), answers));
  const more = turn.filling.map((element) => answers.get(element)).filter((word) => word && word.answer);
  return [...words, ...more.map((word) => ({ text: word.answer, kind: "told", elements: word.elements, told: word }))];
}

function item({ text, elements }, role, answers) {
  const truth = text.trim(), one = { elements, truth, gap: text.includes("\n") ? "\n" : " " };
  const told = elements.map((element) => answers.get(element)).find(Boolean);
  if (role === TARGET) return told ? { ...one, text: told.answer, kind: "told", told } : { ...one, text: "?", kind: "asked" };
  if (role === HIDDEN) return { ...one, text: "–", kind: "hidden" };
  return role === CONTEXT ? { ...one, text: truth, kind: "shown" } : { ...one, text: "✕", kind: "removed" };
}

function common(roles, elements) {
  const found = new Set(elements.map((element) => Number(roles[element])));
  return found.size === 1 ? [...found][0] : null;
}
