/* The live agent: what it would do after the last view, and acting, by the agent or by a person. */
import * as api from "/page/api.js";
import { ARROWS } from "/page/strip.js";
import { chance, setShare } from "/page/inspector.js";

const { element } = window.anyorder;
const byId = (id) => document.getElementById(id);
const PAUSE = 450; // milliseconds between the agent's actions

export class Live {
  /** `page` holds the episode. A source says all of the environment's past: a seed and actions. */
  constructor(about, page) {
    Object.assign(this, { page, seed: about.first_seed, actions: [], probabilities: null, playing: null });
    this.choices = about.names.action.map((name, action) => this._choice(name, action));
    byId("live-seed").value = this.seed;
    byId("live-seed").max = about.highest_seed;
    byId("panel-live").addEventListener("submit", (event) => {
      event.preventDefault();
      this.reset(Number(byId("live-seed").value));
    });
    byId("live-another").addEventListener("click", () => this.reset(this.seed + 1));
    byId("play").addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    byId("step").addEventListener("click", () => this.step());
    byId("undo").addEventListener("click", () => this.undo());
    byId("auto-hide").addEventListener("input", (event) => (byId("auto-hide-share").value = `${event.target.value}%`));
    byId("acts-on").addEventListener("change", () => this.think());
    this.turn = Promise.resolve();
    this.think = api.latest(async (stale) => {
      const { episode } = page;
      const probabilities = await this._ask().catch((error) => page.fail(error));
      if (!probabilities || stale() || page.episode !== episode) return;
      this.probabilities = probabilities;
      this.show();
    });
  }

  async _ask() {
    const answer = await api.agent(this.page.source, this.page.hiding(), byId("acts-on").value === "believed");
    return answer.probabilities;
  }

  source() {
    return { kind: "live", seed: this.seed, actions: this.actions };
  }

  get running() {
    const { episode } = this.page;
    return Boolean(episode) && episode.outcome === "running";
  }

  reset(seed) {
    this.pause();
    return this._inTurn(() => this._go(seed, [], false));
  }

  undo() {
    this.pause();
    return this._inTurn(() => this.actions.length && this._go(this.seed, this.actions.slice(0, -1), true));
  }

  act(action) {
    return this._inTurn(() => this.running && this._go(this.seed, [...this.actions, action], true));
  }

  /** Let the agent act once, on what it is shown now. */
  step() {
    return this._inTurn(async () => {
      if (!this.running) return;
      const probabilities = await this._ask();
      await this._go(this.seed, [...this.actions, probabilities.indexOf(Math.max(...probabilities))], true);
    });
  }

  /** One after the other: no press is lost, and each begins where the one before ended. */
  _inTurn(work) {
    this.turn = this.turn.then(work).catch((error) => this.page.fail(error));
    return this.turn;
  }

  async play() {
    const mine = (this.playing = {});
    this.show();
    while (this.playing === mine && this.running) {
      await this.step();
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    if (this.playing === mine) this.pause();
  }

  pause() {
    this.playing = null;
    this.show();
  }

  async _go(seed, actions, goesOn) {
    const before = { seed: this.seed, actions: this.actions };
    Object.assign(this, { seed, actions, probabilities: null });
    byId("live-seed").value = seed;
    const done = await this.page.load(this.source(), { goesOn, hide: Number(byId("auto-hide").value) / 100 });
    if (!done) Object.assign(this, before);
    else if (this.running) this.think();
    this.show();
  }

  show() {
    byId("play").textContent = this.playing ? "❚❚ Pause" : "▶ Play";
    byId("undo").disabled = !this.actions.length;
    byId("step").disabled = byId("play").disabled = !this.running;
    const most = this.probabilities ? Math.max(...this.probabilities) : 1;
    this.choices.forEach(({ row, button }, action) => {
      const share = this.probabilities ? this.probabilities[action] : 0;
      button.disabled = !this.running;
      row.classList.toggle("chosen", Boolean(this.probabilities) && share === most);
      setShare(row, share);
    });
  }

  _choice(name, action) {
    const button = element("button", { type: "button", "data-action": action, "aria-label": `take the action ${name}` });
    button.textContent = `${ARROWS[name] || ""} ${name}`;
    button.addEventListener("click", () => this.act(action));
    return { row: chance(byId("actions"), name, 0, { button }), button };
  }
}
