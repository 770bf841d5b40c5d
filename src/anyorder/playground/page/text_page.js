/* Conversations, and episodes of text worlds: turns as a column, any of their words hidden. */
import { DROPPED } from "/page/elements.js";
import { Column } from "/page/text_column.js";
import { Page } from "/page/page.js";
import { TextEpisode, itemsOf } from "/page/text_episode.js";
import { TextLive } from "/page/text_live.js";
import { inspectText } from "/page/text_inspector.js";

const byId = (id) => document.getElementById(id);

export async function textPage(about) {
  return new TextPage(about);
}

class TextPage extends Page {
  constructor(about) {
    super(about);
    this.selected = { turn: 0, word: -1, frame: 0 };
    this.column = new Column(byId("turns"), {
      onPress: (turn, word, extend) => this.press(turn, word, extend),
      onSelect: (turn, word) => this.choose(this.at(turn, word)),
      onPoint: (turn, word) => this.point(turn === null ? null : this.at(turn, word)),
    });
    this.live = about.plays ? new TextLive(about, this) : { pause: () => {} };
  }

  read(json) {
    return new TextEpisode(json);
  }

  /** Number of a turn -> its answer. */
  readReply(json) {
    return new Map(Object.entries(json.turns).map(([number, told]) => [Number(number), told]));
  }

  /** A live episode is looked at where it is now. */
  rebuild(episode) {
    const turn = this.isLive ? episode.turns.length - 1 : 0;
    this.selected = { turn, word: -1, frame: this.isLive ? episode.last : 0 };
    document.querySelector(".desk").classList.toggle("live", this.isLive);
    byId("task").hidden = !this.isLive || !episode.mission;
    byId("task").textContent = byId("task").title = episode.mission;
    this.column.rebuild(episode);
    byId("talk-title").textContent = episode.first_step ? `Turn by turn, from step ${episode.first_step} on` : "Turn by turn";
  }

  get isLive() {
    return this.source.kind === this.live.kind;
  }

  reveal(smoothly = true) {
    if (this.isLive && this.selected.turn === this.episode.turns.length - 1) this.column.toEnd(smoothly);
    else if (this.reply) this.column.reveal(this.selected.turn, smoothly);
  }

  draw() {
    this.column.show(this);
  }

  inspect(at) {
    inspectText(byId("inspector"), this, at);
  }

  at(turn, word) {
    return { turn, word, frame: Math.max(0, this.episode.turns[turn].step) };
  }

  /** A word was pressed, or the name of a turn (word -1), which means all of it, as `whole` does. A turn that is hidden as a whole is
   *  shown again as a whole. */
  press(turn, word, whole) {
    const { episode, brush, roles } = this, one = itemsOf(this, turn)[word];
    const at = this.at(turn, word), all = whole || !one || episode.whole(roles, turn) === brush;
    const elements = all || !one.elements.length ? episode.places(turn) : one.elements;
    Object.assign(this, { selected: at, pointed: null });
    this.question.fit(episode, at.frame);
    if (!elements.length) return this.show();
    if (!episode.turns[turn].askable && brush !== DROPPED) {
      this.show();
      return this.fail(new Error(`This model never learned to say ${episode.turns[turn].part}s, so they are always shown; they can only be removed.`));
    }
    this.fail(null);
    this.put({ roles: episode.pressed(roles, turn, elements, brush), asked: null });
  }

  /** At the first turn that was asked for. */
  firstAsked(json) {
    const numbers = Object.keys(json.turns).map(Number);
    return numbers.length ? this.at(Math.min(...numbers), -1) : this.selected;
  }

  score() {
    const told = [...this.reply.values()], words = told.flatMap((turn) => turn.words);
    const right = (all) => `${all.filter((one) => one.right).length} of ${all.length}`;
    return `Right: ${right(told)} ${told.length === 1 ? "turn" : "turns"}, ${right(words)} ${words.length === 1 ? "word" : "words"}`;
  }
}
