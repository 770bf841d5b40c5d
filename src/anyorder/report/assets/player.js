/*
 * The player: films of views side by side, step by step. Needs grid.js.
 *
 * anyorder.player(host, atlas, groups): fills the element `host`. As JSON (`trajectories.py` and `episodes.py` make it):
 *   group  name, help: for people; films
 *   film   name: in the list of films; title, note: over and under its panels; panels: [{title, columns, rows, plain}],
 *          steps: one per view
 *   step   views: a frame of grid.js for each panel; said: a sentence; action: {name, guess, right, sure} what was done
 *          next and, if that was hidden, what the model took it for; or {name: "", end: how it ended};
 *          chances: optional {action: percent}, how probable the model took each to be
 *
 * Under the panels it says what is at the cell that is pointed at or has the focus, in every panel with cells.
 *
 * Keys, wherever the focus is within the player: arrow left and right, Home, End; space plays and pauses. In a view the
 * arrow keys go from cell to cell instead (see grid.js).
 */
(function () {
  "use strict";
  const { element, View } = window.anyorder;
  const MILLISECONDS = 700;
  const POINT = "Point at a cell to read it.";

  function text(tag, content, attributes, parent) {
    const made = element(tag, attributes, parent);
    made.textContent = content;
    return made;
  }

  class Player {
    constructor(host, atlas, groups) {
      Object.assign(this, { host, atlas, groups, timer: null, step: 0, views: [], place: null });
      host.classList.add("player");
      this.tabs = element("div", { class: "tabs", role: "group", "aria-label": "what is shown" }, host);
      this.buttons = groups.map((group, number) => {
        const button = text("button", `${group.name} (${group.films.length})`, { type: "button" }, this.tabs);
        button.disabled = !group.films.length;
        button.addEventListener("click", () => this._openGroup(number));
        return button;
      });
      this.help = element("p", { class: "note" }, host);
      const first = groups.findIndex((group) => group.films.length);
      if (first < 0) {
        this.help.textContent = "There is nothing to show.";
        return;
      }
      this._addChooser();
      this.panels = element("div", { class: "panels" }, host);
      this.pointed = element("p", { class: "pointed note", "aria-hidden": "true" }, host); // the cells have these words
      this._addControls();
      this.said = element("div", { class: "said", role: "status" }, host);
      this.chances = element("ul", { class: "chances", "aria-label": "how probable the model took each action to be" }, host);
      host.addEventListener("keydown", (event) => this._key(event));
      this._openGroup(first);
    }

    _addChooser() {
      const bar = element("div", { class: "bar" }, this.host);
      this.chooser = element("select", { "aria-label": "film" }, bar);
      this.chooser.addEventListener("change", () => this._openFilm(Number(this.chooser.value)));
      this.note = element("span", { class: "quiet" }, bar);
    }

    _addControls() {
      const bar = element("div", { class: "bar" }, this.host);
      const button = (content, label, act) => {
        const made = text("button", content, { type: "button", "aria-label": label }, bar);
        made.addEventListener("click", act);
        return made;
      };
      button("‹ Back", "step back", () => this._go(this.step - 1));
      this.play = button("▶ Play", "play", () => this._toggle());
      button("Next ›", "step on", () => this._go(this.step + 1));
      this.slider = element("input", { type: "range", min: 0, value: 0, "aria-label": "step" }, bar);
      this.slider.addEventListener("input", () => this._go(Number(this.slider.value)));
      this.counter = element("span", { class: "quiet counter" }, bar);
    }

    _openGroup(number) {
      this.group = this.groups[number];
      this.buttons.forEach((button, other) => button.setAttribute("aria-pressed", other === number));
      this.help.textContent = this.group.help;
      this.chooser.replaceChildren();
      this.group.films.forEach((film, index) => text("option", film.name, { value: index }, this.chooser));
      this._openFilm(Math.floor(this.group.films.length / 2)); // neither the shortest nor the longest
    }

    _openFilm(number) {
      this._pause();
      this.chooser.value = number;
      this.film = this.group.films[number];
      this.note.textContent = this.film.note;
      this.place = null;
      for (const view of this.views) view.resized.disconnect();
      this.panels.replaceChildren();
      this.views = this.film.panels.map((panel) => {
        const figure = element("figure", { class: "panel" }, this.panels);
        text("figcaption", panel.title, {}, figure);
        return new View(element("div", {}, figure), this.atlas, { ...panel, label: panel.title, onPoint: (x, y) => this._point(x, y) });
      });
      this.slider.max = this.film.steps.length - 1;
      this._go(0);
    }

    _go(step) {
      const last = this.film.steps.length - 1;
      this.step = Math.max(0, Math.min(last, step));
      const now = this.film.steps[this.step];
      this.views.forEach((view, number) => view.show(now.views[number]));
      this.slider.value = this.step;
      this.slider.setAttribute("aria-valuetext", `step ${this.step} of ${last}`);
      this.counter.textContent = `${this.step} / ${last}`;
      this._say(now);
      this._point(...(this.place || [null]));
      if (this.step === last) this._pause();
    }

    _point(x, y) {
      this.place = x === null ? null : [x, y];
      const told = (view) => `${view.options.title}: ${view.cell(x, y).getAttribute("aria-label")}`;
      this.pointed.textContent = this.place ? this.views.filter((view) => view.grid).map(told).join(" · ") : POINT;
    }

    _say(now) {
      const { action } = now;
      this.said.replaceChildren();
      if (now.said) text("span", now.said, { class: "chip" }, this.said);
      if (action.end) text("span", action.end, { class: "chip" }, this.said);
      if (action.name) text("span", `then: ${action.name}`, { class: "chip" }, this.said);
      if (action.guess) {
        const words = `hidden from the model, which says ${action.guess} (${action.sure}%)`;
        text("span", words, { class: `chip ${action.right ? "right-ink" : "wrong-ink"}` }, this.said);
      }
      this._rate(now.chances || {}, action.name);
    }

    _rate(chances, chosen) {
      this.chances.replaceChildren();
      this.chances.hidden = !this.film.steps.some((step) => step.chances);
      for (const [name, percent] of Object.entries(chances)) {
        const row = element("li", name === chosen ? { class: "chosen" } : {}, this.chances);
        text("span", name, {}, row);
        const track = element("span", { class: "track" }, row);
        element("span", { class: "fill" }, track).style.setProperty("--share", percent / 100);
        text("span", `${percent}%`, { class: "value" }, row);
      }
    }

    _toggle() {
      if (this.timer) {
        this._pause();
        return;
      }
      this.said.setAttribute("aria-live", "off"); // nobody can listen that fast
      if (this.step === this.film.steps.length - 1) this._go(0);
      this.timer = setInterval(() => this._go(this.step + 1), MILLISECONDS);
      this._label("❚❚ Pause", "pause");
    }

    _pause() {
      clearInterval(this.timer);
      this.timer = null;
      this.said.setAttribute("aria-live", "polite");
      this._label("▶ Play", "play");
    }

    _label(content, label) {
      this.play.textContent = content;
      this.play.setAttribute("aria-label", label);
    }

    _key(event) {
      const plays = event.key === " " && !event.target.matches("select, button");
      if ((event.target.matches("select, input") && !plays) || event.ctrlKey || event.metaKey || event.altKey) return;
      const last = this.film.steps.length - 1;
      const goes = { ArrowLeft: this.step - 1, ArrowRight: this.step + 1, Home: 0, End: last }[event.key];
      if (goes === undefined && !plays) return;
      event.preventDefault();
      if (goes === undefined) this._toggle();
      else this._go(goes);
    }
  }

  window.anyorder.player = (host, atlas, groups) => new Player(host, atlas, groups);
})();
