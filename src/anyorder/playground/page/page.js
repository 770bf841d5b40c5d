/* What the page does with an episode of any kind: which episode, which roles, which question. After every change it asks again
 * and shows the answer. A kind of episode extends this class; what it must have is named at the end. */
import * as api from "/page/api.js";
import { DROPPED, TARGET, toggled } from "/page/elements.js";
import { Question } from "/page/question.js";

const byId = (id) => document.getElementById(id);
const OUTCOMES = {
  success: "mission accomplished", failure: "failed", truncated: "out of time", running: "under way", ended: "ended",
  stopped: "stopped by the time limit", recorded: "recorded",
};

export class Page {
  constructor(about) {
    Object.assign(this, { about, episode: null, roles: "", reply: null, asked: null, source: null, pointed: null, turn: 0 });
    this.brush = TARGET;
    this.question = new Question(about, {
      onAsk: (asked) => this.put({ asked, own: this.hiding() }),
      onDecoder: () => this.put({}),
    });
    this.ask = api.latest((stale) => this._ask(stale));
    byId("show-all").addEventListener("click", () => this.put({ roles: this.episode.shown, asked: null }));
    byId("mission").addEventListener("click", () =>
      this.put({ roles: toggled(this.roles, this.episode.words(), this.episode.missionRole(this.brush)), asked: null }));
    for (const button of document.querySelectorAll("[data-part]")) button.addEventListener("click", () =>
      this.load({ ...this.source, part: this.episode.part + Number(button.dataset.part) }));
  }

  /* ---- the episode ---- */

  /** True if the episode is shown; otherwise everything stays as it was, and the error is shown. */
  async load(source, { goesOn = false, hide = 0 } = {}) {
    const turn = (this.turn += 1); // of several that were asked for, only the last is shown
    try {
      const episode = this.read(await api.episode(source));
      if (turn !== this.turn) return;
      const before = this.episode, live = source.kind.startsWith("live");
      const roles = goesOn && before ? episode.carried(this.hiding(), before) : episode.shown;
      Object.assign(this, { source, episode, asked: null, reply: null, pointed: null, roles: episode.hidden(roles, hide) });
      this.selected = { ...this.selected, frame: goesOn || live ? episode.last : 0 };
      this.rebuild(episode);
      this.show();
      this.reveal(goesOn);
      this.question.fit(episode, this.selected.frame);
      this.clicked = performance.now();
      await this.ask();
      document.body.dataset.loads = Number(document.body.dataset.loads || 0) + 1;
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  /* ---- what is hidden and asked ---- */

  /** The roles that a person chose: those of a query are shown instead, but hide nothing from the agent. */
  hiding() {
    return this.asked ? this.own : this.roles;
  }

  hide(elements) {
    this.put({ roles: toggled(this.roles, elements, this.brush), asked: null });
  }

  /** Something changed: show it, and ask again. What the agent would do depends on the roles too. */
  put(change) {
    Object.assign(this, change);
    this.clicked = performance.now();
    if (!this.asked && !this.roles.includes(String(TARGET))) this.reply = null;
    this.show();
    if (this.source.kind.startsWith("live") && "roles" in change) this.live.think();
    return this.ask();
  }

  async _ask(stale) {
    const { source, asked, roles, episode, clicked } = this;
    if (!asked && !roles.includes(String(TARGET))) return this.fail(null);
    try {
      const reply = await api.answer({
        source, asked: asked || { kind: "roles", roles }, decoder: this.question.decoder(), seed: this.question.draws,
      });
      if (stale() || episode !== this.episode) return;
      Object.assign(this, { reply: this.readReply(reply), roles: reply.roles, took: performance.now() - clicked });
      if (asked) this.selected = this.firstAsked(reply);
      this.fail(null);
      this.show();
      document.body.dataset.answers = Number(document.body.dataset.answers || 0) + 1;
      if (asked) this.reveal();
    } catch (error) {
      if (stale()) return;
      Object.assign(this, { reply: null, roles: this.hiding(), asked: null });
      this.show();
      this.fail(error);
    }
  }

  /* ---- what is looked at ---- */

  choose(selected) {
    const other = selected.frame !== this.selected.frame;
    Object.assign(this, { selected, pointed: null });
    this.show();
    if (!other) return;
    this.question.fit(this.episode, selected.frame);
    this.reveal();
  }

  point(at) {
    this.pointed = at;
    if (this.episode) this.inspect(this.pointed || this.selected);
  }

  fail(error) {
    byId("error").hidden = !error;
    byId("error").textContent = error ? error.message : "";
  }

  show() {
    this.draw();
    this.inspect(this.pointed || this.selected);
    this.showMission();
    byId("summary").textContent = this.reply ? `${this.score()} (${Math.round(this.took)} ms)` : "Hide something, and the model rebuilds it.";
    byId("show-all").disabled = this.roles === this.episode.shown;
    byId("agent").hidden = !this.source.kind.startsWith("live");
  }

  showMission() {
    const { episode, roles, source } = this, words = episode.words();
    const shown = words.every((word) => roles[word] === episode.shown[word]);
    byId("mission").hidden = !words.length;
    const removed = words.every((word) => Number(roles[word]) === DROPPED), said = (this.reply && this.reply.words) || [];
    byId("mission").textContent = shown ? episode.called() : removed ? "mission removed" : episode.guessed(roles, said) || "mission hidden";
    byId("mission").title = shown ? `press to ask without the mission` : `${episode.called()}; press to show it`;
    byId("mission").setAttribute("aria-pressed", String(!shown));
    byId("mission").classList.toggle("right", said.length > 0 && said.every(({ right }) => right));
    byId("mission").classList.toggle("wrong", said.some(({ right }) => !right));
    byId("mission").disabled = source.kind.startsWith("live"); // the agent always has one
    byId("outcome").textContent = `${episode.length()}, ${OUTCOMES[episode.outcome]}`;
    byId("outcome").className = `chip ${episode.outcome}`;
    const { part = 0, num_parts: parts = 1 } = episode;
    byId("parts").hidden = parts < 2;
    byId("part").textContent = `Part ${part + 1} of ${parts}`;
    for (const button of document.querySelectorAll("[data-part]")) button.disabled = !(part + Number(button.dataset.part) in [...Array(parts)]);
  }

  /*
   * A kind has: `live`, `selected` ({frame, ...}); read(json) -> its episode; rebuild(episode), once per episode; draw(), after
   * every change; reveal(smoothly), the selected step; readReply(json); firstAsked(json) -> where to look after a question;
   * inspect(at); score() -> what came of the answers, in words.
   * Its episode has: shown, last, outcome, words(), called(), missionRole(brush), guessed(roles, said), length(), carried(roles, before), hidden(roles, share).
   */
}
