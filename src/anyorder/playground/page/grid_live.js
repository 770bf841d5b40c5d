/* The live agent in a grid: a probability for each action. */
import { ARROWS } from "/page/strip.js";
import { Live } from "/page/live.js";
import { chance, setShare } from "/page/inspector.js";

const { element } = window.anyorder;
const byId = (id) => document.getElementById(id);

export class GridLive extends Live {
  kind = "live";

  constructor(about, page) {
    super(about, page);
    this.choices = about.names.action.map((name, action) => this._choice(name, action));
    byId("acts-on").addEventListener("change", () => this.think());
  }

  rebuilds() {
    return byId("acts-on").value === "believed";
  }

  best({ probabilities }) {
    return probabilities.indexOf(Math.max(...probabilities));
  }

  showAnswer(answer, running) {
    this.choices.forEach(({ row, button }, action) => {
      const share = answer ? answer.probabilities[action] : 0;
      button.disabled = !running;
      row.classList.toggle("chosen", Boolean(answer) && action === this.best(answer));
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
