/* One value of an episode: what is true, what the model is shown, and how probable it finds each value. */
import { CONTEXT, DROPPED, TARGET } from "/page/elements.js";
import { inWords, middle, svg } from "/page/chart.js";
import { chance } from "/page/inspector.js";
import { number } from "/page/field_episode.js";
import { percent } from "/page/strip.js";

const { element } = window.anyorder;
const WIDTH = 260, HEIGHT = 70, MOST_BARS = 12;

/** Fill `host` with what `at` ({column, frame}) is about. */
export function inspectField(host, { episode, about, roles, reply }, { column, frame }) {
  host.replaceChildren();
  const { name } = about.columns[column], step = episode.first_step + frame;
  if (!episode.exists(column, frame)) return text(host, `${name} at step ${step}: `, "not there");
  text(host, `${name} at step ${step}: `, episode.truth(column, frame));
  const one = episode.element(column, frame), role = Number(roles[one]), told = reply && reply.get(one);
  if (role === CONTEXT) return text(host, "The model is shown it.");
  if (role !== TARGET) return text(host, role === DROPPED ? "It is removed, as if it did not exist." : "It is hidden, and not asked for.");
  if (!told) return text(host, "asked …");
  (told.kind === "number" ? aboutNumber : aboutCategory)(host, told, episode.field(column));
}

function aboutNumber(host, told, field) {
  if (!told.believed) {
    text(host, "The model says ", number(told.answer));
    return text(host, "Several passes decided; it is the middle of the bin that was chosen.");
  }
  const { median, low, high, truth_level: level, truth_nats: nats } = told.believed;
  text(host, "The model's median: ", number(median));
  text(host, "90% of its probability: ", `${number(low)} to ${number(high)}`);
  if (told.shares) histogram(host, told, field);
  text(host, "Below the truth: ", percent(level));
  text(host, "Nats at the truth, per standard deviation: ", nats.toFixed(2).replace("-", "−"));
}

/** The probability of each bin, with the truth and the median marked. */
function histogram(host, told, field) {
  const most = Math.max(...told.shares), wide = WIDTH / told.shares.length;
  const picture = svg("svg", { class: "histogram", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `probability of each bin: ${inWords(told)}` }, host);
  told.shares.forEach((share, place) => {
    const tall = (HEIGHT - 4) * share / most;
    svg("rect", { class: "bin", x: place * wide, y: HEIGHT - tall, width: Math.max(0.5, wide - 0.6), height: tall }, picture);
  });
  const x = (value) => WIDTH * Math.min(1, Math.max(0, (value - field.low) / (field.high - field.low)));
  for (const [name, value] of [["median", middle(told)], ["truth", told.truth]]) {
    svg("line", { class: name, x1: x(value), x2: x(value), y1: 0, y2: HEIGHT }, picture);
  }
  const ends = element("p", { class: "ends quiet" }, host);
  for (const end of [field.low, field.high]) element("span", {}, ends).textContent = number(end);
}

function aboutCategory(host, told) {
  const list = element("ul", { class: "chances" }, host);
  const values = Object.entries(told.distribution || { [told.answer]: told.probability }).sort((one, other) => other[1] - one[1]);
  for (const [value, share] of values.slice(0, MOST_BARS).filter(([, of], place) => place < 2 || of >= 0.005)) {
    chance(list, value, share, { chosen: value === told.answer, truth: value === told.truth });
  }
  if (told.distribution === null) text(host, "Several passes decided; this is the probability of the value when it was chosen.");
  if (told.distribution === undefined) text(host, "Ask for less to see the probabilities of other values.");
}

function text(host, plain, strong = "") {
  const made = element("p", { class: "quiet" }, host);
  made.append(plain);
  if (strong) element("b", {}, made).textContent = strong;
}
