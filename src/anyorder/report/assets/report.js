/*
 * Puts a player into every element that names its films: <div data-films="NAME">. Needs grid.js and player.js.
 */
(async function () {
  "use strict";
  const { data, openAtlas, player } = window.anyorder;
  const hosts = document.querySelectorAll("[data-films]");
  if (!hosts.length) return;
  const atlas = await openAtlas(data("atlas"));
  for (const host of hosts) player(host, atlas, data(host.dataset.films));
})();
