/*
 * Views of a grid in MiniGrid's own tiles: crisp on any screen, for mouse, finger and keyboard.
 *
 * anyorder.data(name) -> the JSON value that the page was given under that name.
 *
 * anyorder.openAtlas(json) -> Promise<Atlas>, from what `anyorder.pages.atlas.atlas()` returns. An atlas has all of its
 *   fields, and `picture`.
 *
 * anyorder.nameOf(atlas, code) -> "red ball", "locked blue door", "empty", ... of a cell's code.
 *
 * new anyorder.View(host, atlas, options): shows views in the element `host` (whose width it fills). Options:
 *   columns, rows   size of the view, in cells
 *   label           what it is, for those who do not see it
 *   onPick(x, y, event)   a cell was clicked, or Enter or Space pressed on it; without it cells cannot be pressed
 *   onPoint(x, y)   a cell is under the pointer or has the focus; onPoint(null) when there is none any more
 *   describe(x, y)  a cell's words for a screen reader; default: its name and marks
 *   plain           true: a picture only, without cells to point at (for big grids)
 *   With the focus on a cell the arrow keys, Home and End go to others; these keys then do nothing else.
 *
 * view.show(frame) with, as JSON, S = columns * rows values each, column by column (cell x, y is number x * rows + y):
 *   cells           codes, (object * 6 + color) * 4 + state
 *   hidden          optional, sums of 1 (object), 2 (color), 4 (state): 7 hides the cell behind a question mark, less
 *                   shows the tile with the letters of what is hidden on it
 *   marks           optional, 0 nothing, 1 right (green frame), 2 wrong (red frame and a cross)
 *   confidence      optional, percent or null: a bar at the bottom of the cell
 *   selected        optional, true or false: a dashed frame
 *   lit             optional, true or false; default: all but unseen cells
 *   agent           optional {x, y, direction (0 is east, clockwise)}, or null for none; default: bottom middle, facing up
 *   label           optional, replaces options.label
 * view.frame is what is shown; view.cell(x, y) the element of a cell.
 */
(function () {
  "use strict";
  const NUM_COLORS = 6, NUM_STATES = 4, UNSEEN = 0, FACING_UP = 3;
  const LETTERS = [[1, "o", "object"], [2, "c", "color"], [4, "s", "state"]];
  const MARKS = ["", "right", "wrong"];

  const data = (name) => JSON.parse(document.getElementById(`data-${name}`).textContent);

  async function openAtlas(json) {
    const picture = new Image();
    picture.src = json.image;
    await picture.decode();
    return Object.assign({}, json, { picture });
  }

  const objectOf = (code) => Math.floor(code / (NUM_COLORS * NUM_STATES));

  function nameOf(atlas, code) {
    const object = atlas.objects[objectOf(code)];
    if (["unseen", "empty", "goal", "lava", "agent"].includes(object)) return object;
    const color = atlas.colors[Math.floor(code / NUM_STATES) % NUM_COLORS];
    const state = object === "door" ? atlas.door_states[code % NUM_STATES] || "closed" : "";
    return [state, color, object].filter(Boolean).join(" ");
  }

  function element(tag, attributes, parent) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (parent) parent.append(made);
    return made;
  }

  class View {
    constructor(host, atlas, options) {
      Object.assign(this, { host, atlas, options, frame: null, columns: options.columns, rows: options.rows });
      host.classList.add("view");
      host.replaceChildren();
      this.stage = element("div", { class: "view-stage" }, host);
      this.canvas = element("canvas", {}, this.stage);
      if (options.plain) {
        this.canvas.setAttribute("role", "img");
        this.canvas.setAttribute("aria-label", options.label || "");
      } else {
        this.canvas.setAttribute("aria-hidden", "true");
        this._addCells();
      }
      this.resized = new ResizeObserver(() => this._draw());
      this.resized.observe(host);
    }

    show(frame) {
      this.frame = frame;
      (this.grid || this.canvas).setAttribute("aria-label", frame.label || this.options.label || "");
      this._draw();
      if (this.grid) for (const cell of this.grid.querySelectorAll("[data-x]")) this._dress(cell);
    }

    cell(x, y) {
      return this.grid.querySelector(`[data-x="${x}"][data-y="${y}"]`);
    }

    /* ---- cells: what is pointed at, marked and read aloud ---- */

    _addCells() {
      this.grid = element("div", { class: "view-cells", role: "grid" }, this.stage);
      this.grid.style.setProperty("--columns", this.columns);
      this.grid.style.setProperty("--rows", this.rows);
      if (this.options.onPick) this.grid.classList.add("pickable");
      for (let y = 0; y < this.rows; y++) {
        const row = element("div", { role: "row", class: "view-row" }, this.grid);
        for (let x = 0; x < this.columns; x++) {
          element("div", { role: "gridcell", class: "view-cell", tabindex: x || y ? -1 : 0, "data-x": x, "data-y": y }, row);
        }
      }
      this.grid.addEventListener("click", (event) => this._pick(event));
      this.grid.addEventListener("keydown", (event) => this._key(event));
      for (const kind of ["pointerover", "focusin"]) {
        this.grid.addEventListener(kind, (event) => this._point(event.target.closest("[data-x]")));
      }
      for (const kind of ["pointerleave", "focusout"]) this.grid.addEventListener(kind, () => this._point(null));
    }

    _dress(cell) {
      const [x, y] = place(cell), number = x * this.rows + y, frame = this.frame;
      const hidden = frame.hidden ? frame.hidden[number] : 0;
      const mark = MARKS[frame.marks ? frame.marks[number] : 0];
      const sure = frame.confidence ? frame.confidence[number] : null;
      const letters = LETTERS.filter(([bit]) => hidden & bit).map(([, letter]) => letter).join("");
      cell.className = ["view-cell", mark, hidden === 7 ? "hidden" : hidden ? "partly" : "", sure === null ? "" : "rated",
        frame.selected && frame.selected[number] ? "selected" : ""].filter(Boolean).join(" ");
      cell.dataset.letters = letters;
      cell.style.setProperty("--sure", sure === null ? 0 : sure / 100);
      const words = this.options.describe ? this.options.describe(x, y) : this._words(number, hidden, mark, sure);
      cell.setAttribute("aria-label", words);
    }

    _words(number, hidden, mark, sure) {
      const parts = [hidden === 7 ? "hidden" : nameOf(this.atlas, this.frame.cells[number])];
      if (hidden && hidden !== 7) parts.push(LETTERS.filter(([bit]) => hidden & bit).map((l) => l[2]).join(" and ") + " hidden");
      if (mark) parts.push(mark);
      if (sure !== null) parts.push(`${sure}% sure`);
      return parts.join(", ");
    }

    _pick(event) {
      const cell = event.target.closest("[data-x]");
      if (cell && this.options.onPick) this.options.onPick(...place(cell), event);
    }

    _point(cell) {
      if (this.options.onPoint) this.options.onPoint(...(cell ? place(cell) : [null]));
    }

    _key(event) {
      const cell = event.target.closest("[data-x]");
      if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
      const [x, y] = place(cell);
      const goes = { ArrowLeft: [x - 1, y], ArrowRight: [x + 1, y], ArrowUp: [x, y - 1], ArrowDown: [x, y + 1],
        Home: [0, y], End: [this.columns - 1, y] }[event.key];
      const pressed = this.options.onPick && (event.key === "Enter" || event.key === " ");
      if (!goes && !pressed) return;
      event.preventDefault();
      event.stopPropagation();
      if (pressed) this.options.onPick(x, y, event);
      else this.focus(...goes);
    }

    /** Move the focus to a cell, if there is one. */
    focus(x, y) {
      const cell = this.cell(x, y);
      if (!cell) return;
      for (const other of this.grid.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
      cell.tabIndex = 0;
      cell.focus();
    }

    /* ---- the picture ---- */

    _draw() {
      const width = this.host.clientWidth;
      if (!this.frame || !width) return;
      const density = window.devicePixelRatio || 1;
      // Whole pixels of the screen per tile: neither blurred nor with seams.
      const size = Math.max(1, Math.floor((width * density) / this.columns));
      this.canvas.width = size * this.columns;
      this.canvas.height = size * this.rows;
      this.stage.style.width = `${this.canvas.width / density}px`;
      this.stage.style.height = `${this.canvas.height / density}px`;
      this.stage.style.setProperty("--cell", `${size / density}px`);
      const brush = this.canvas.getContext("2d");
      brush.imageSmoothingQuality = "high";
      this.frame.cells.forEach((code, number) => {
        const [x, y] = [Math.floor(number / this.rows), number % this.rows];
        this._tile(brush, this.atlas.looks[code] + (this._lit(number) ? 0 : this.atlas.unlit), x, y, size);
      });
      const middle = { x: Math.floor(this.columns / 2), y: this.rows - 1, direction: FACING_UP };
      const agent = this.frame.agent === undefined ? middle : this.frame.agent;
      if (agent) {
        const lit = this._lit(agent.x * this.rows + agent.y);
        this._tile(brush, this.atlas.agents[lit ? 1 : 0][agent.direction], agent.x, agent.y, size);
      }
    }

    _lit(number) {
      return this.frame.lit ? Boolean(this.frame.lit[number]) : objectOf(this.frame.cells[number]) !== UNSEEN;
    }

    _tile(brush, tile, x, y, size) {
      const { picture, tile: side, columns } = this.atlas;
      const [left, top] = [(tile % columns) * side, Math.floor(tile / columns) * side];
      brush.drawImage(picture, left, top, side, side, x * size, y * size, size, size);
    }
  }

  function place(cell) {
    return [Number(cell.dataset.x), Number(cell.dataset.y)];
  }

  window.anyorder = Object.assign(window.anyorder || {}, { data, openAtlas, nameOf, element, View });
})();
