/* Begins: asks the server what its episodes are made of, and opens the page for that. */
import * as api from "/page/api.js";
import { DROPPED, HIDDEN, TARGET } from "/page/elements.js";
import { segments, sources } from "/page/controls.js";

const byId = (id) => document.getElementById(id);
const BRUSHES = [["ask", "hides and asks", TARGET], ["hide", "only hides", HIDDEN], ["drop", "removes", DROPPED]];
const KINDS = {
  grid: async (about) => (await import("/page/grid_page.js")).gridPage(about),
  fields: async (about) => (await import("/page/field_page.js")).fieldPage(about),
  text: async (about) => (await import("/page/text_page.js")).textPage(about),
};

async function start() {
  const about = await api.about();
  for (const part of document.querySelectorAll("[data-kind]")) if (part.dataset.kind !== about.kind) part.remove();
  document.body.hidden = false;
  byId("whose").textContent = `${about.checkpoint} · ${about.env_id}`;
  const page = await KINDS[about.kind](about);
  segments("brushes", "brush", BRUSHES, (_, number) => (page.brush = BRUSHES[number][2]));
  await sources(page, about);
  document.body.dataset.ready = "true";
}

start().catch((error) => {
  document.body.hidden = false;
  byId("error").hidden = false;
  byId("error").textContent = error.message;
});
