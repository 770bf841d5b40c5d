/* The form of queries and decoders, made from what the server offers. */
const { element } = window.anyorder;
const byId = (id) => document.getElementById(id);
const LABELS = { goal_step: "goal step", yes_no: "" };
const DECODER_NAMES = { single: "all at once", confidence: "the surest first", unit: "one view or action after the other", ranks: "along the ranks" };

export class Question {
  /** `onAsk({name, options})`, `onDecoder()`: called when something about decoding has changed. */
  constructor(about, { onAsk, onDecoder }) {
    this.about = about;
    this.draws = 0;
    const query = byId("query"), decoder = byId("decoder");
    for (const { name, asks } of about.queries) option(query, name, asks);
    option(decoder, "", "as the question needs");
    for (const { name } of about.decoders) option(decoder, name, DECODER_NAMES[name] || name);
    for (const name of about.unit_orders) option(byId("unit-order"), name, name);
    query.addEventListener("change", () => this._fields());
    byId("question").addEventListener("submit", (event) => {
      event.preventDefault();
      onAsk(this.asked());
    });
    byId("decoding").addEventListener("change", () => {
      this._relevant();
      onDecoder();
    });
    byId("draw-again").addEventListener("click", () => {
      this.draws += 1;
      onDecoder();
    });
    this._relevant();
  }

  /** Fill in steps that make sense for an episode and a view of it. */
  fit(episode, frame) {
    this.last = episode.last;
    this.frame = Math.max(0, Math.min(frame, this.last - 1));
    this._fields();
  }

  asked() {
    const options = {};
    for (const { name, kind } of this._query().options) {
      const field = byId(`option-${name}`);
      if (kind === "yes_no") options[name] = field.checked;
      else if (field.value.trim() && kind === "integers") options[name] = field.value.split(/[\s,]+/).filter(Boolean).map(Number);
      else if (field.value.trim()) options[name] = Number(field.value);
    }
    return { kind: "query", name: byId("query").value, options };
  }

  decoder() {
    return {
      name: byId("decoder").value || null,
      num_passes: Number(byId("num-passes").value),
      unit_order: byId("unit-order").value,
      temperature: Number(byId("temperature").value),
      top_p: Number(byId("top-p").value),
    };
  }

  _query() {
    return this.about.queries.find(({ name }) => name === byId("query").value);
  }

  _fields() {
    const host = byId("query-options");
    host.replaceChildren();
    const guesses = { step: this.frame, start: this.frame, stop: this.frame + 1, goal_step: this.last, rate: 0.3, waypoints: this.last };
    for (const { name, kind, help, needed } of this._query().options) {
      const label = element("label", { class: "row" }, host);
      label.append(LABELS[name] || name.replaceAll("_", " "), " ");
      const attributes = { id: `option-${name}`, title: help, type: kind === "yes_no" ? "checkbox" : kind === "integers" ? "text" : "number" };
      if (kind === "integer") Object.assign(attributes, { min: 0, step: 1 });
      if (kind === "number") Object.assign(attributes, { min: 0.05, max: 1, step: 0.05 });
      const field = element("input", attributes, label);
      if (needed) {
        field.required = true;
        field.value = guesses[name];
      } else if (kind !== "yes_no") field.placeholder = "any";
    }
  }

  _relevant() {
    const decoder = byId("decoder").value, draws = Number(byId("temperature").value) > 0;
    for (const part of byId("decoding").querySelectorAll("[data-for]")) {
      part.hidden = part.dataset.for === "drawn" ? !draws : part.dataset.for !== decoder;
    }
  }
}

function option(select, value, text) {
  element("option", { value }, select).textContent = text;
}
