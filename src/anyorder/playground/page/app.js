/* Joins the parts: which episode, which roles, which question. After every change the page asks again and shows the answer. */
import * as api from "/page/api.js";
import { DROPPED, Episode, HIDDEN, TARGET, carried, toggled } from "/page/elements.js";
import { Desk } from "/page/desk.js";
import { Live } from "/page/live.js";
import { Question } from "/page/question.js";
import { Strip } from "/page/strip.js";
import { inspect } from "/page/inspector.js";
import { readReply } from "/page/frames.js";
import { segments, sources } from "/page/controls.js";

const { View, openAtlas } = window.anyorder;
const byId = (id) => document.getElementById(id);
const BRUSHES = [["ask", "hides and asks", TARGET], ["hide", "only hides", HIDDEN], ["drop", "removes", DROPPED]];
const GRAINS = [["cell", "a cell"], ["object", "its object"], ["color", "its color"], ["state", "its state"], ["view", "the whole view"]];
const BIG = 12; // a world with more columns gets all the room there is
const OUTCOMES = { success: "mission accomplished", failure: "failed", truncated: "out of time", running: "under way" };

class Page {
  constructor(about, atlas) {
    Object.assign(this, { about, atlas, episode: null, roles: "", reply: null, asked: null, source: null, pointed: null, turn: 0 });
    this.selected = { kind: "cell", frame: 0, x: Math.floor(about.view[0] / 2), y: 0 };
    this.brush = TARGET;
    this.grain = "cell";
    this.strip = new Strip(byId("strip"), atlas, about.names, {
      onView: (frame) => this.choose({ ...this.selected, frame }),
      onAction: (frame) => this.hideSingle("action", frame),
    });
    this.desk = new Desk(atlas, about, {
      onPick: (x, y) => this.hideCell(x, y),
      onSelect: (x, y) => this.choose({ kind: "cell", frame: this.selected.frame, x, y }),
      onPoint: (x, y) => this.point(x === null ? null : { kind: "cell", frame: this.selected.frame, x, y }),
      onSingle: (name) => this.hideSingle(name, this.selected.frame),
    });
    this.question = new Question(about, {
      onAsk: (asked) => this.put({ asked, own: this.hiding() }),
      onDecoder: () => this.put({}),
    });
    this.live = new Live(about, this);
    this.ask = api.latest((stale) => this._ask(stale));
  }

  /* ---- the episode ---- */

  /** True if the episode is shown; otherwise everything stays as it was, and the error is shown. */
  async load(source, { goesOn = false, hide = 0 } = {}) {
    const turn = (this.turn += 1); // of several that were asked for, only the last is shown
    try {
      const episode = new Episode(await api.episode(source));
      if (turn !== this.turn) return;
      const roles = goesOn && this.episode ? carried(this.hiding(), this.episode, episode) : episode.shown;
      Object.assign(this, { source, episode, asked: null, reply: null, pointed: null, roles: hidden(roles, episode, hide) });
      this.selected = { ...this.selected, frame: goesOn || source.kind === "live" ? episode.last : 0 };
      this.strip.rebuild(episode);
      this.show();
      this.strip.reveal(this.selected.frame, goesOn);
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

  hideCell(x, y) {
    this.selected = { kind: "cell", frame: this.selected.frame, x, y };
    this.hide(this.episode.grain(this.grain, this.selected.frame, x, y));
  }

  hideSingle(kind, frame) {
    this.selected = { ...this.selected, kind, frame };
    this.hide([kind === "action" ? this.episode.action(frame) : this.episode.direction(frame)]);
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
    if (this.source.kind === "live" && "roles" in change) this.live.think();
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
      Object.assign(this, { reply: readReply(reply), roles: reply.roles, took: performance.now() - clicked });
      if (asked) this.selected = this.firstAsked(reply);
      this.fail(null);
      this.show();
      document.body.dataset.answers = Number(document.body.dataset.answers || 0) + 1;
      if (asked) this.strip.reveal(this.selected.frame);
    } catch (error) {
      if (stale()) return;
      Object.assign(this, { reply: null, roles: this.hiding(), asked: null });
      this.show();
      this.fail(error);
    }
  }

  /** Where to look after a question: at the first view or action that was asked for. */
  firstAsked({ answer }) {
    const [view] = answer.observations, [single] = answer.elements;
    if (!view && !single) return this.selected;
    if (!view || (single && single.step < view.step)) return { ...this.selected, kind: single.attribute, frame: single.step };
    const cell = view.cells.find(({ right }) => !right) || view.cells.find(({ notable }) => notable) || view.cells[0];
    return { kind: "cell", frame: view.step, x: cell.column, y: cell.row };
  }

  /* ---- what is looked at ---- */

  choose(selected) {
    const other = selected.frame !== this.selected.frame;
    Object.assign(this, { selected, pointed: null });
    this.show();
    if (other) this.question.fit(this.episode, selected.frame);
    if (other) this.strip.reveal(selected.frame);
  }

  point(at) {
    this.pointed = at;
    if (this.episode) this.inspect();
  }

  inspect() {
    inspect(byId("inspector"), this.atlas, this.about, this, this.pointed || this.selected);
  }

  fail(error) {
    byId("error").hidden = !error;
    byId("error").textContent = error ? error.message : "";
  }

  show() {
    this.strip.show(this);
    this.desk.show(this);
    this.inspect();
    this.showMission();
    this.showWorld();
    byId("summary").textContent = summary(this);
    byId("show-all").disabled = this.roles === this.episode.shown;
    byId("agent").hidden = this.source.kind !== "live";
  }

  showMission() {
    const { episode, roles, source } = this, words = episode.words();
    const shown = words.every((word) => roles[word] === episode.shown[word]);
    byId("mission").textContent = shown ? `“${episode.mission}”` : "mission removed";
    byId("mission").title = shown ? `press to ask without the mission` : `“${episode.mission}”; press to show it`;
    byId("mission").setAttribute("aria-pressed", String(!shown));
    byId("mission").disabled = source.kind === "live"; // the agent always has one
    byId("outcome").textContent = `${episode.actions.length} ${episode.actions.length === 1 ? "action" : "actions"}, ${OUTCOMES[episode.outcome]}`;
    byId("outcome").className = `chip ${episode.outcome}`;
  }

  showWorld() {
    const world = this.episode.worlds[this.selected.frame];
    byId("world-card").hidden = !world;
    if (!world) return;
    byId("world-card").classList.toggle("big", world.columns > BIG);
    if (!this.world || this.world.columns !== world.columns || this.world.rows !== world.rows) {
      this.world = new View(byId("world"), this.atlas, { columns: world.columns, rows: world.rows, plain: true });
    }
    this.world.show({ ...world, label: `the whole world at step ${this.selected.frame}` });
  }
}

/** Roles in which each cell of the last view is hidden and asked for with probability `share`. */
function hidden(roles, episode, share) {
  let changed = roles;
  for (let x = 0; share && x < episode.columns; x++) for (let y = 0; y < episode.rows; y++) {
    if (Math.random() < share) changed = toggled(changed, episode.cell(episode.last, x, y), TARGET);
  }
  return changed;
}

function summary({ reply, took, asked }) {
  if (!reply) return "Hide something, and the model rebuilds it.";
  const cells = [...reply.cells.values()].flatMap((view) => [...view.values()]), singles = [...reply.singles.values()];
  const counts = [["cells", cells], ["actions", singles.filter((s) => s.attribute === "action")],
    ["directions", singles.filter((s) => s.attribute === "direction")]];
  const told = counts.filter(([, all]) => all.length).map(([name, all]) => `${all.filter((one) => one.right).length} of ${all.length} ${name}`);
  return `Right: ${told.join(", ")} (${Math.round(took)} ms)`;
}

async function start() {
  const [about, picture] = await Promise.all([api.about(), api.atlas()]);
  const page = new Page(about, await openAtlas(picture));
  byId("whose").textContent = `${about.checkpoint} · ${about.env_id}`;
  segments("brushes", "brush", BRUSHES, (_, number) => (page.brush = BRUSHES[number][2]));
  segments("grains", "grain", GRAINS, (value) => (page.grain = value));
  byId("show-all").addEventListener("click", () => page.put({ roles: page.episode.shown, asked: null }));
  byId("mission").addEventListener("click", () => page.put({ roles: toggled(page.roles, page.episode.words(), DROPPED), asked: null }));
  await sources(page, about);
  document.body.dataset.ready = "true";
}

start().catch((error) => {
  byId("error").hidden = false;
  byId("error").textContent = error.message;
});
