/* The live agent of any environment: what it would do, entry by entry, and a form to do something else. */
import { Live } from "/page/live.js";
import { chance } from "/page/inspector.js";
import { number } from "/page/field_episode.js";

const { element } = window.anyorder;
const byId = (id) => document.getElementById(id);
const MOST_BARS = 8;

export class FieldLive extends Live {
  kind = "live_fields";

  constructor(about, page) {
    super(about, page);
    this.entries = about.action_columns.map((column) => this._entry(about, column));
    byId("action-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.answer) this.act(this._chosen());
    });
  }

  best({ action }) {
    return action;
  }

  showAnswer(answer, running) {
    byId("action-form").querySelector("button").disabled = !running || !answer;
    this.entries.forEach(({ field, source, entry, input, note, list }, place) => {
      input.disabled = !running || !answer;
      list.replaceChildren();
      note.textContent = "";
      if (!answer) return;
      const value = answer.action[source][entry], { shares, low, high } = answer.beliefs[place];
      input.value = field.kind === "number" ? Number(value.toPrecision(4)) : field.recorded.indexOf(value);
      if (!shares) return (note.textContent = `90%: ${number(low)} to ${number(high)}`);
      const best = Math.max(...shares);
      shares.map((share, of) => [share, field.names[of]]).sort((one, other) => other[0] - one[0]).slice(0, MOST_BARS)
        .forEach(([share, name]) => chance(list, name, share, { chosen: share === best }));
    });
  }

  /** What the form holds: the agent's action, with the entries that were changed. */
  _chosen() {
    const action = Object.fromEntries(Object.entries(this.answer.action).map(([path, entries]) => [path, [...entries]]));
    for (const { field, source, entry, input } of this.entries) {
      action[source][entry] = field.kind === "number" ? Number(input.value) : field.recorded[Number(input.value)];
    }
    return action;
  }

  _entry(about, column) {
    const { name, source, entry, field: of } = about.columns[column], field = about.fields[of];
    const host = element("div", { class: "entry" }, byId("action-entries"));
    const label = element("label", { class: "row" }, host);
    label.append(name, " ");
    const input = field.kind === "number" ? element("input", { type: "number", step: "any" }, label) : element("select", {}, label);
    if (field.kind !== "number") field.names.forEach((text, value) => (element("option", { value }, input).textContent = text));
    const note = element("p", { class: "quiet" }, host), list = element("ul", { class: "chances" }, host);
    return { field, source, entry, input, note, list };
  }
}
