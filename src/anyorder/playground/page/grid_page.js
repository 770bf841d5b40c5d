/* Episodes in grids: views, the actions between them, and the world around. */
import * as api from "/page/api.js";
import { Episode } from "/page/elements.js";
import { Desk } from "/page/desk.js";
import { GridLive } from "/page/grid_live.js";
import { Page } from "/page/page.js";
import { Strip } from "/page/strip.js";
import { inspect } from "/page/inspector.js";
import { readReply } from "/page/frames.js";
import { segments } from "/page/controls.js";

const { View, openAtlas } = window.anyorder;
const byId = (id) => document.getElementById(id);
const GRAINS = [["cell", "a cell"], ["object", "its object"], ["color", "its color"], ["state", "its state"], ["view", "the whole view"]];
const BIG = 12; // a world with more columns gets all the room there is

export async function gridPage(about) {
  return new GridPage(about, await openAtlas(await api.atlas()));
}

class GridPage extends Page {
  constructor(about, atlas) {
    super(about);
    this.atlas = atlas;
    this.selected = { kind: "cell", frame: 0, x: Math.floor(about.view[0] / 2), y: 0 };
    this.grain = "cell";
    segments("grains", "grain", GRAINS, (value) => (this.grain = value));
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
    this.live = new GridLive(about, this);
  }

  read(json) {
    return new Episode(json);
  }

  readReply(json) {
    return readReply(json);
  }

  rebuild(episode) {
    this.strip.rebuild(episode);
  }

  reveal(smoothly = true) {
    this.strip.reveal(this.selected.frame, smoothly);
  }

  draw() {
    this.strip.show(this);
    this.desk.show(this);
    this.showWorld();
  }

  inspect(at) {
    inspect(byId("inspector"), this.atlas, this.about, this, at);
  }

  hideCell(x, y) {
    this.selected = { kind: "cell", frame: this.selected.frame, x, y };
    this.hide(this.episode.grain(this.grain, this.selected.frame, x, y));
  }

  hideSingle(kind, frame) {
    this.selected = { ...this.selected, kind, frame };
    this.hide([kind === "action" ? this.episode.action(frame) : this.episode.direction(frame)]);
  }

  /** At the first view or action that was asked for. */
  firstAsked({ answer }) {
    const [view] = answer.observations, single = answer.elements.find(({ step }) => step >= 0);
    if (!view && !single) return this.selected;
    if (!view || (single && single.step < view.step)) return { ...this.selected, kind: single.attribute, frame: single.step };
    const cell = view.cells.find(({ right }) => !right) || view.cells.find(({ notable }) => notable) || view.cells[0];
    return { kind: "cell", frame: view.step, x: cell.column, y: cell.row };
  }

  score() {
    const { reply } = this;
    const cells = [...reply.cells.values()].flatMap((view) => [...view.values()]), singles = [...reply.singles.values()];
    const counts = [["cells", cells], ["actions", singles.filter((s) => s.attribute === "action")],
      ["directions", singles.filter((s) => s.attribute === "direction")], ["words of the mission", reply.words]];
    const told = counts.filter(([, all]) => all.length).map(([name, all]) => `${all.filter((one) => one.right).length} of ${all.length} ${name}`);
    return `Right: ${told.join(", ")}`;
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
