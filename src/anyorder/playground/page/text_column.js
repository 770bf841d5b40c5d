/* The turns of a conversation as a column. Keys go from word to word; one thing at a time can be reached with Tab. */
import { CONTEXT } from "/page/elements.js";
import { itemsOf } from "/page/text_episode.js";
import { percent } from "/page/strip.js";

const { element } = window.anyorder;
const END = "⟨end⟩", NAME = -1; // where the words of a turn have numbers from 0

export class Column {
  /** `onPress(turn, word, extend)`, `onSelect(turn, word)`, `onPoint(turn, word)`, word -1 for the name of a turn; null, null: none. */
  constructor(host, { onPress, onSelect, onPoint }) {
    Object.assign(this, { host, onPress, onSelect, onPoint });
    host.addEventListener("click", (event) => this._at(event, (turn, word) => onPress(turn, word, event.shiftKey)));
    host.addEventListener("keydown", (event) => this._at(event, (turn, word) => this._key(event, turn, word)));
    host.addEventListener("focusin", (event) => this._at(event, (turn, word) => this._focused(turn, word)));
    host.addEventListener("pointerover", (event) => event.pointerType === "mouse" && this._at(event, onPoint));
    host.addEventListener("pointerleave", () => onPoint(null, null));
  }

  rebuild(episode) {
    this.host.replaceChildren();
    this.turns = episode.turns.map((turn, number) => {
      const item = element("li", { class: `turn ${turn.part}` }, this.host);
      const name = element("button", { type: "button", class: "turn-name", tabindex: number ? -1 : 0, "data-turn": number, "data-word": NAME }, item);
      name.textContent = episode.name(number);
      return { item, name, words: element("p", { class: "turn-words" }, item), verdict: element("p", { class: "verdict", hidden: "" }, item), drawn: "" };
    });
    this.current = [0, NAME];
  }

  show(state) {
    this.turns.forEach((parts, number) => {
      const items = itemsOf(state, number), told = state.reply && state.reply.get(number);
      parts.item.classList.toggle("selected", state.selected.turn === number);
      const text = JSON.stringify([items, told && told.probability]);
      if (text === parts.drawn) return;
      parts.drawn = text;
      this._draw(parts, state, number, items, told);
    });
  }

  /** Show a turn; where a person is in the column, nothing moves under the hand. */
  reveal(number, smoothly) {
    if (!this.host.contains(document.activeElement)) this.turns[number].item.scrollIntoView({ block: "nearest", behavior: motion(smoothly) });
  }

  /** Show the last turn of a column that scrolls by itself. The page stays, so that a button that was pressed stays under the hand. */
  toEnd(smoothly) {
    if (!this.host.contains(document.activeElement)) this.host.scrollTo({ top: this.host.scrollHeight, behavior: motion(smoothly) });
  }

  _draw(parts, { episode, roles }, number, items, told) {
    const held = parts.words.contains(document.activeElement);
    const { askable } = episode.turns[number], whole = episode.whole(roles, number);
    const hidden = whole !== null && whole !== CONTEXT;
    parts.name.setAttribute("aria-pressed", String(hidden));
    parts.name.setAttribute("aria-label", `${episode.name(number)}, ${hidden ? "not shown; press to show it" : askable ? "press to hide it" : "always shown"}`);
    parts.words.replaceChildren();
    items.forEach((one, place) => {
      if (place) parts.words.append(items[place - 1].gap || " ");
      if (askable || one.kind === "removed") word(parts.words, one, number, place);
      else parts.words.append(one.text);
    });
    parts.verdict.hidden = !told;
    if (told) verdict(parts.verdict, told, hidden);
    if (this.current[0] === number) this._focus(number, this.current[1], held);
  }

  _at(event, act) {
    const { turn, word } = (event.target.closest("[data-turn]") || { dataset: {} }).dataset;
    if (turn !== undefined) act(Number(turn), Number(word));
  }

  _focused(turn, word) {
    if (this.current[0] === turn && this.current[1] === word) return;
    this._rove(turn, word);
    this.onSelect(turn, word);
  }

  _key(event, turn, word) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      return this.onPress(turn, word, event.shiftKey);
    }
    const number = this._words(turn).length;
    const to = {
      ArrowRight: () => (word + 1 < number ? [turn, word + 1] : [turn + 1, NAME]),
      ArrowLeft: () => (word > NAME ? [turn, word - 1] : [turn - 1, Infinity]),
      ArrowDown: () => [turn + 1, NAME],
      ArrowUp: () => (word > NAME ? [turn, NAME] : [turn - 1, NAME]),
      Home: () => [turn, NAME],
      End: () => [turn, Infinity],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const [next, place] = to();
    if (!this.turns[next]) return;
    this._focus(next, place, true);
    this.onSelect(...this.current);
  }

  _words(turn) {
    return this.turns[turn].words.querySelectorAll(".word");
  }

  /** Make a word, or the last one before it, the one that Tab reaches; `really`: go there. */
  _focus(turn, word, really) {
    const place = Math.min(word, this._words(turn).length - 1);
    this._rove(turn, place);
    if (really) this._find(turn, place).focus();
  }

  _rove(turn, word) {
    const before = this._find(...this.current);
    if (before) before.tabIndex = -1;
    this.current = [turn, word];
    this._find(turn, word).tabIndex = 0;
  }

  _find(turn, word) {
    return word < 0 ? this.turns[turn].name : this._words(turn)[word];
  }
}

function motion(smoothly) {
  return smoothly && matchMedia("(prefers-reduced-motion: no-preference)").matches ? "smooth" : "auto";
}

function word(host, { text, kind, told, truth }, turn, place) {
  const state = { told: told && (told.right ? "told right" : "told wrong"), asked: "kept asked", hidden: "kept", removed: "removed" }[kind];
  const made = element("span", { class: ["word", state].filter(Boolean).join(" "), role: "button", tabindex: -1, "data-turn": turn, "data-word": place }, host);
  made.append(kind === "told" ? text || END : text);
  made.setAttribute("aria-pressed", String(kind !== "shown"));
  const secret = told ? told.truth : truth;
  if (kind === "told") {
    made.style.setProperty("--sure", told.probability);
    element("span", { class: "sign" }, made).textContent = told.right ? "✓" : "✕";
    if (!told.right) element("span", { class: "secret" }, made).textContent = secret || END;
    made.setAttribute("aria-label", `the model says ${text || "the end"}, ${percent(told.probability)}, ${told.right ? "right" : `wrong; in truth ${secret || "the end"}`}`);
  } else if (kind !== "shown") made.setAttribute("aria-label", `${{ asked: "asked", hidden: "hidden", removed: "removed" }[kind]}${secret ? `: ${secret}` : ""}`);
}

function verdict(host, told, whole) {
  host.replaceChildren();
  host.className = `verdict ${told.right ? "right" : "wrong"}`;
  element("b", {}, host).textContent = told.right ? "✓ right" : "✕ wrong";
  host.append(` · ${percent(told.probability)}`);
  if (!told.right && told.truth_probability !== null) host.append(`, the truth ${percent(told.truth_probability)}`);
  if (!told.right && whole) host.append(`: ${told.truth || "nothing"}`);
}
