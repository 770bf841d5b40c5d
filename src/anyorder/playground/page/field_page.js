/* Episodes of any environment: fields over time. */
import { Chart, LANES_AT_ONCE } from "/page/chart.js";
import { FieldEpisode, number } from "/page/field_episode.js";
import { FieldLive } from "/page/field_live.js";
import { Page } from "/page/page.js";
import { inspectField } from "/page/field_inspector.js";
import { segments } from "/page/controls.js";

const byId = (id) => document.getElementById(id);
const GRAINS = [["value", "a value"], ["cell", "its cell"], ["unit", "all at its step"], ["later", "all from its step on"], ["range", "from one press to the next"]];

export async function fieldPage(about) {
  return new FieldPage(about);
}

class FieldPage extends Page {
  constructor(about) {
    super(about);
    this.grain = "value";
    this.truthToo = false;
    this.anchor = null; // where a range begins
    this.columns = about.columns.map((_, column) => column).filter((column) => this.part(column) !== "return");
    this.selected = { column: this.columns[0], frame: 0 };
    segments("grains", "grain", GRAINS, (value) => (this.grain = value));
    this.lanes = Math.min(LANES_AT_ONCE, this.columns.length);
    this.chart = new Chart(byId("chart"), about, {
      onPick: (column, frame, extend) => this.pick(column, frame, extend),
      onPoint: (column, frame) => this.point(column === null ? null : { column, frame }),
      onSelect: (column, frame) => this.choose({ column, frame }),
    });
    byId("truth-too").addEventListener("change", (event) => {
      this.truthToo = event.target.checked;
      this.draw();
    });
    byId("more-rows").addEventListener("click", () => {
      this.lanes = Math.min(this.columns.length, this.lanes + LANES_AT_ONCE);
      this.rebuild(this.episode);
      this.draw();
    });
    this.live = new FieldLive(about, this);
  }

  part(column) {
    return this.about.fields[this.about.columns[column].field].part;
  }

  read(json) {
    return new FieldEpisode(json, this.about);
  }

  readReply(json) {
    return new Map(json.targets.map((target) => [target.element, target]));
  }

  /** Actions are always among the lanes; of the observations, the first ones. */
  rebuild(episode) {
    this.anchor = null;
    const actions = this.columns.filter((column) => this.part(column) === "action").slice(0, LANES_AT_ONCE / 2);
    const others = this.columns.filter((column) => !actions.includes(column)).slice(0, this.lanes - actions.length);
    this.chart.rebuild(episode, [...others, ...actions]);
    byId("more").hidden = this.lanes === this.columns.length;
    byId("more-rows").textContent = `Show ${Math.min(LANES_AT_ONCE, this.columns.length - this.lanes)} more`;
    byId("num-rows").textContent = `${this.lanes} of ${this.columns.length} are shown`;
    byId("facts").textContent = episode.facts.map(({ name, value }) => `${name} ${value}`).join(" · ");
    byId("facts").hidden = !episode.facts.length;
    byId("chart-title").textContent = `Steps ${episode.first_step} to ${episode.first_step + episode.last}`;
  }

  reveal(smoothly = true) {
    this.chart.reveal(this.selected.frame, smoothly);
  }

  draw() {
    this.chart.show(this);
  }

  inspect(at) {
    inspectField(byId("inspector"), this, at);
  }

  /** A value was pressed; `extend`: all from the one pressed before to it. */
  pick(column, frame, extend) {
    const { episode, anchor } = this, ranges = this.grain === "range";
    const range = (extend || ranges) && anchor && anchor.column === column && anchor.frame !== frame;
    const elements = range ? this.ahead(episode.range(column, anchor.frame, frame)) : episode.grain(ranges ? "value" : this.grain, column, frame);
    this.anchor = range && ranges ? null : { column, frame };
    Object.assign(this, { selected: { column, frame }, pointed: null });
    this.hide(elements);
    this.question.fit(episode, frame);
  }

  /** Of a range, what does not have the brush's role yet, as the value that it began with has it. */
  ahead(elements) {
    const open = elements.filter((one) => Number(this.roles[one]) !== this.brush);
    return open.length ? open : elements;
  }

  /** At the first value that was asked for. */
  firstAsked({ targets }) {
    return (targets.length && this.episode.place(targets[0].element)) || this.selected;
  }

  score() {
    const told = [...this.reply.values()], categories = told.filter(({ kind }) => kind === "category");
    const numbers = told.filter(({ kind }) => kind === "number"), believed = numbers.filter((one) => one.believed);
    const inside = believed.filter(({ truth, believed: { low, high } }) => low <= truth && truth <= high).length;
    const parts = [];
    if (categories.length) parts.push(`${categories.filter(({ right }) => right).length} of ${categories.length} categories right`);
    if (believed.length) parts.push(`${inside} of ${believed.length} numbers within 90%`);
    if (numbers.length) parts.push(`${number(numbers.reduce((sum, { error }) => sum + error, 0) / numbers.length)} SD off`);
    return parts.join(", ");
  }
}
