/* The agent at work: what it would do after the last view, and whoever acts. */
import * as api from "/page/api.js";
import { ARROWS } from "/page/strip.js";
import { chance } from "/page/inspector.js";

const { element } = window.anyorder;
const byId = (id) => document.getElementById(id);
const PAUSE = 450; // milliseconds between the agent's actions

export class Live {
  /** `page`: what holds the episode. All of the environment's past is in the source: a seed and actions. */
  constructor(about, page) {
    Object.assign(this, { names: about.names.action, page, seed: about.first_seed, actions: [], probabilities: null, playing: false });
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
    this.think = api.latest(async (stale) => {
      const { episode } = page;
      const answer = await api.agent(this.source(), page.hiding(), byId("acts-on").value === "believed").catch((error) => page.fail(error));
      if (!answer || stale() || page.episode !== episode) return;
      this.probabilities = answer.probabilities;
      this.show();
    });
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
    return this._go(seed, [], false);
  }

  undo() {
    this.pause();
    if (this.actions.length && !this.busy) return this._go(this.seed, this.actions.slice(0, -1), true);
  }

  act(action) {
    if (this.running && !this.busy) return this._go(this.seed, [...this.actions, action], true);
  }

  /** Let the agent act once, on what it is shown now. */
  async step() {
    await this.think();
    if (this.probabilities) await this.act(this.probabilities.indexOf(Math.max(...this.probabilities)));
  }

  async play() {
    this.playing = true;
    this.show();
    while (this.playing && this.running) {
      await this.step();
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    this.pause();
  }

  pause() {
    this.playing = false;
    this.show();
  }

  async _go(seed, actions, goesOn) {
    const before = { seed: this.seed, actions: this.actions };
    Object.assign(this, { seed, actions, probabilities: null, busy: true });
    byId("live-seed").value = seed;
    const done = await this.page.load(this.source(), { goesOn, hide: Number(byId("auto-hide").value) / 100 });
    Object.assign(this, { busy: false }, done ? {} : before);
    if (this.running) await this.think();
    this.show();
  }

  show() {
    byId("play").textContent = this.playing ? "❚❚ Pause" : "▶ Play";
    byId("undo").disabled = !this.actions.length;
    byId("step").disabled = byId("play").disabled = !this.running;
    const list = byId("actions"), focused = list.contains(document.activeElement) && document.activeElement.dataset.action;
    list.replaceChildren();
    const most = this.probabilities ? Math.max(...this.probabilities) : 1;
    this.names.forEach((name, action) => {
      const button = element("button", { type: "button", "data-action": action, "aria-label": `take the action ${name}` });
      button.textContent = `${ARROWS[name] || ""} ${name}`;
      button.disabled = !this.running;
      button.addEventListener("click", () => this.act(action));
      const share = this.probabilities ? this.probabilities[action] : 0;
      chance(list, name, share, { chosen: Boolean(this.probabilities) && share === most, button });
    });
    if (focused) list.querySelector(`[data-action="${focused}"]`).focus();
  }
}
