/* The live agent in a text environment: what can be done, with probabilities, and a line to say something else. */
import { Live } from "/page/live.js";
import { chance, setShare } from "/page/inspector.js";

const { element } = window.anyorder;
const byId = (id) => document.getElementById(id);
const FEW = 12, MANY = 400; // of the candidates, until all are wanted; of thousands only so many, which typing narrows

export class TextLive extends Live {
  kind = "live_text";

  constructor(about, page) {
    super(about, page);
    Object.assign(this, { rows: [], all: false, drawn: null });
    this.host = byId("candidates");
    byId("own-text").addEventListener("input", () => this._draw());
    byId("all-candidates").addEventListener("click", () => {
      this.all = !this.all;
      this._draw();
    });
    byId("own-action").addEventListener("submit", (event) => {
      event.preventDefault();
      const said = byId("own-text").value.trim(), same = ([action]) => action.toLowerCase() === said.toLowerCase();
      const [known] = (this.drawn ? this.drawn.candidates : []).find(same) || [said];
      if (known && this.running) this.act(known);
    });
  }

  best({ action }) {
    return action;
  }

  /** Another line is begun once the action was done; what was refused can be mended. */
  async _go(seed, actions, goesOn) {
    await super._go(seed, actions, goesOn);
    if (this.actions === actions) byId("own-text").value = "";
    this._draw();
  }

  showAnswer(answer, running) {
    const texts = byId("own-action");
    texts.querySelector("button").disabled = byId("own-text").disabled = !running;
    this.host.classList.toggle("waiting", !answer);
    if (answer || !running) this.drawn = answer; // until the next answer the last one stays, pale, where a hand may rest
    this._draw();
  }

  _draw() {
    const candidates = this.drawn ? this.drawn.candidates : [], said = byId("own-text").value.trim().toLowerCase();
    const fitting = candidates.filter(([action]) => action.toLowerCase().includes(said));
    const shown = fitting.slice(0, this.all ? MANY : FEW);
    const held = this.rows.findIndex(({ button }) => button === document.activeElement);
    while (this.rows.length < shown.length) this.rows.push(this._row());
    while (this.rows.length > shown.length) this.rows.pop().row.remove();
    shown.forEach((candidate, place) => this._fill(this.rows[place], candidate));
    if (held >= this.rows.length) (this.rows[this.rows.length - 1] || { button: byId(this.running ? "own-text" : "undo") }).button.focus();
    byId("all-candidates").hidden = fitting.length <= FEW;
    byId("all-candidates").textContent = this.all ? `Show the ${FEW} most probable` : `Show ${fitting.length > MANY ? `${MANY} of` : "all"} ${fitting.length}`;
    byId("candidates-note").textContent = this._note(candidates, fitting, said);
  }

  _note(candidates, fitting, said) {
    if (!this.running) return "This episode is over.";
    if (!this.drawn) return "…";
    if (!candidates.length) return `The environment does not say what can be done. The agent writes: ${this.drawn.action || "nothing"}`;
    if (said && !candidates.some(([action]) => action.toLowerCase() === said)) {
      return `${fitting.length} of ${candidates.length} contain this. As it stands it is not admissible, but can be tried.`;
    }
    return `${candidates.length} admissible ${candidates.length === 1 ? "action" : "actions"}. Press one to take it yourself.`;
  }

  _fill({ row, button, tried }, [action, share, times]) {
    button.firstChild.textContent = action;
    button.dataset.action = action;
    tried.textContent = times ? `done ${times}× after this` : "";
    row.classList.toggle("chosen", action === this.drawn.action);
    setShare(row, share);
  }

  _row() {
    const button = element("button", { type: "button" });
    button.append("", element("small", { class: "tried" }));
    // One is pressed at a time: after the first press the list is of the past.
    button.addEventListener("click", () => this.answer && this.act(button.dataset.action));
    return { row: chance(this.host, "", 0, { button }), button, tried: button.lastChild };
  }
}
