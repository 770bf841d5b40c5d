/*
 * Light or dark: as the system has it, until the reader presses the button [data-theme-toggle]; the choice is kept.
 */
(function () {
  "use strict";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);

  function label() {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      const next = isDark() ? "light" : "dark";
      button.textContent = isDark() ? "☀ Light" : "☾ Dark";
      button.setAttribute("aria-label", `switch to ${next} colors`);
    }
  }

  try {
    const kept = localStorage.getItem("anyorder-theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch (error) { /* storage is forbidden: the system decides */ }

  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("anyorder-theme", root.dataset.theme); } catch (error) { /* only this time */ }
      label();
    });
  }
  dark.addEventListener("change", label);
  label();
})();
