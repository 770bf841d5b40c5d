/* The live agent: what it would do after the last observation, and acting, by the agent or by a person. A kind of episode extends
 * this class with kind (of its source), best(answer) -> the agent's action, and showAnswer(answer, running), where the answer is
 * what the server says of the next action, or null. */
import * as api from "/page/api.js";

const byId = (id) => document.getElementById(id);
const PAUSE = 450; // milliseconds between the agent's actions

export class Live {
  /** `page` holds the episode. A source says all of the environment's past: a seed and actions. */
  constructor(about, page) {
    Object.assign(this, { page, seed: about.first_seed, actions: [], answer: null, playing: null });
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
    this.turn = Promise.resolve();
    this.think = api.latest(async (stale) => {
      const { episode } = page;
      const answer = await this._ask().catch((error) => page.fail(error));
      if (!answer || stale() || page.episode !== episode) return;
      this.answer = answer;
      this.show();
    });
  }

  _ask() {
    return api.agent(this.page.source, this.page.hiding(), this.rebuilds());
  }

  /** True where the agent is to act on what it believes of what is hidden. */
  rebuilds() {
    return false;
  }

  source() {
    return { kind: this.kind, seed: this.seed, actions: this.actions };
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
      await this._go(this.seed, [...this.actions, this.best(await this._ask())], true);
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
    Object.assign(this, { seed, actions, answer: null });
    this.show(); // at once, so that nobody changes an answer to a step that is over
    byId("live-seed").value = seed;
    const done = await this.page.load(this.source(), { goesOn, hide: Number(byId("auto-hide").value) / 100 });
    if (!done) Object.assign(this, before);
    if (this.running) this.think(); // also where nothing was done: what was answered before is gone
    this.show();
  }

  show() {
    byId("play").textContent = this.playing ? "❚❚ Pause" : "▶ Play";
    byId("undo").disabled = !this.actions.length;
    byId("step").disabled = byId("play").disabled = !this.running;
    this.showAnswer(this.answer, this.running);
  }
}
