/*
 * An episode of any environment, or a part of it: its elements and their roles. Elements are numbered as the server does: the
 * mission, then for every step the columns that `about.columns` lists.
 */
import { DROPPED, TARGET, toggled } from "/page/elements.js";

export class FieldEpisode {
  constructor(json, about) {
    Object.assign(this, json);
    this.about = about;
    this.perFrame = about.columns.length;
    this.shown = this.roles; // the roles while nothing is hidden
  }

  get last() {
    return this.num_frames - 1;
  }

  field(column) {
    return this.about.fields[this.about.columns[column].field];
  }

  element(column, frame) {
    return this.num_head + frame * this.perFrame + column;
  }

  /** Where an element lies: {column, frame}; null for the mission. */
  place(element) {
    const number = element - this.num_head;
    return number < 0 ? null : { column: number % this.perFrame, frame: Math.floor(number / this.perFrame) };
  }

  /** False for what was not recorded, and for the action after the last observation. */
  exists(column, frame) {
    return this.shown[this.element(column, frame)] !== "0";
  }

  words() {
    return Array.from({ length: this.num_head }, (_, element) => element).filter((element) => this.shown[element] !== "0");
  }

  called() {
    return this.mission ? `“${this.mission}”` : "the mission";
  }

  /** It is never asked for: a press removes it. */
  missionRole() {
    return DROPPED;
  }

  guessed() {
    return "";
  }

  length() {
    return `${this.num_actions} ${this.num_actions === 1 ? "action" : "actions"}, return ${number(this.earned)}`;
  }

  /** The true value in words. */
  truth(column, frame) {
    return this.said(column, this.truthOf(column, frame));
  }

  /** The true value: a number, or that of a category; null where there is none. */
  truthOf(column, frame) {
    return this.values[column][frame];
  }

  said(column, value) {
    if (value === null) return "not recorded";
    const field = this.field(column);
    return field.kind === "number" ? number(value) : field.names[value];
  }

  /** The elements that a press on a value changes: itself, its cell, its observation or action, or all from its step on. */
  grain(name, column, frame) {
    const { group, part } = this.field(column), { place } = this.about.columns[column];
    const with_ = {
      value: (other) => other === column,
      cell: (other) => this.field(other).group === group && this.about.columns[other].place === place,
      unit: (other) => this.field(other).part === part,
      later: () => true,
    }[name];
    return this._all(with_, frame, name === "later" ? this.last : frame);
  }

  /** The elements of one column from a step to another. */
  range(column, one, other) {
    return this._all((each) => each === column, Math.min(one, other), Math.max(one, other));
  }

  _all(chosen, first, last) {
    const found = [];
    for (let frame = first; frame <= last; frame++) for (let column = 0; column < this.perFrame; column++) {
      if (this.exists(column, frame) && chosen(column)) found.push(this.element(column, frame));
    }
    return found;
  }

  /** Roles of this episode from those of the same a step later or earlier: what was hidden stays hidden. */
  carried(roles, before) {
    const changed = [...this.shown], by = this.first_step - before.first_step;
    for (let frame = 0; frame <= this.last; frame++) for (let column = 0; column < this.perFrame; column++) {
      const then = frame + by;
      if (then < 0 || then > before.last || !before.exists(column, then) || !this.exists(column, frame)) continue;
      changed[this.element(column, frame)] = roles[before.element(column, then)];
    }
    return changed.join("");
  }

  /** Roles in which each value of the last observation is hidden and asked for with probability `share`. */
  hidden(roles, share) {
    let changed = roles;
    for (let column = 0; share && column < this.perFrame; column++) {
      const there = this.field(column).part === "observation" && this.exists(column, this.last);
      if (there && Math.random() < share) changed = toggled(changed, [this.element(column, this.last)], TARGET);
    }
    return changed;
  }
}

/** A number with four digits that count. */
export function number(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4))).replace("-", "−");
}
