/* Choosing an episode, and what a click does. */
const { element } = window.anyorder;
const byId = (id) => document.getElementById(id);

/** Radio buttons, one for each [value, text, ...]; the first one is checked. */
export function segments(host, name, choices, choose) {
  choices.forEach(([value, text], number) => {
    const label = element("label", {}, byId(host));
    const input = element("input", { type: "radio", name, value }, label);
    input.checked = number === 0;
    element("span", {}, label).textContent = text;
    input.addEventListener("change", () => choose(value, number));
  });
}

/** The tabs that say where the episode comes from. Opens the first tab that has one. */
export function sources(page, about) {
  const tabs = ["recorded", "played", "live"];
  const load = {
    recorded: () => page.load({ kind: "recorded", number: Number(byId("number").value) }),
    played: () => page.load({ kind: "played", seed: Number(byId("played-seed").value), player: byId("player").value }),
    live: () => page.live.reset(Number(byId("live-seed").value)),
  };
  const open = (name) => {
    page.live.pause();
    for (const tab of tabs) {
      byId(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
      byId(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
      byId(`panel-${tab}`).hidden = tab !== name;
    }
    return load[name]();
  };
  tabs.forEach((name, number) => {
    byId(`tab-${name}`).addEventListener("click", () => open(name));
    byId(`tab-${name}`).addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      const next = byId(`tab-${tabs[(number + by + tabs.length) % tabs.length]}`);
      if (!next.disabled) next.click(), next.focus();
    });
  });
  for (const name of ["recorded", "played"]) byId(`panel-${name}`).addEventListener("submit", (event) => {
    event.preventDefault();
    load[name]();
  });
  byId("number").max = about.num_recorded - 1;
  byId("number").addEventListener("change", load.recorded);
  byId("num-recorded").textContent = `of ${about.num_recorded} in the ${about.split} split`;
  for (const button of document.querySelectorAll("[data-by]")) button.addEventListener("click", () => {
    byId("number").value = Math.min(about.num_recorded - 1, Math.max(0, Number(byId("number").value) + Number(button.dataset.by)));
    load.recorded();
  });
  byId("played-seed").value = about.first_seed;
  byId("played-seed").max = about.highest_seed;
  byId("player").addEventListener("change", load.played);
  byId("played-another").addEventListener("click", () => {
    byId("played-seed").value = Number(byId("played-seed").value) + 1;
    load.played();
  });
  const players = byId("player");
  for (const option of [...players.options]) if (!about.players.includes(option.value)) option.remove();
  byId("tab-recorded").disabled = !about.num_recorded;
  byId("tab-played").disabled = byId("tab-live").disabled = !about.plays;
  return open(about.num_recorded ? "recorded" : "played");
}
