"use strict";

// Airflow shows the page in a frame whose sandbox forbids popups and navigation around it. The document around it has
// the same origin, so its theme can be followed, and it can open links itself. All else works without this script.
(() => {
  // The page's policy lets no other origin show it, so a document around it can be read.
  const around = window.parent === window ? null : window.parent.document;

  function followTheme() {
    const airflow = around.documentElement;
    const follow = () => {
      const theme = ["dark", "light"].find((name) => airflow.classList.contains(name));
      if (theme) document.documentElement.dataset.theme = theme;
    };
    follow();
    new MutationObserver(follow).observe(airflow, { attributes: true, attributeFilter: ["class"] });
  }

  function openInAirflow(event) {
    const link = event.target.closest("a[data-airflow]");
    if (!link || !around) return;
    event.preventDefault();
    const copy = around.createElement("a");
    copy.href = link.href;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) copy.target = "_blank";
    copy.rel = "noopener";
    around.body.append(copy);
    copy.click();
    copy.remove();
  }

  function copyButton(source) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const done = await copied(source);
      const said = done ? "Copied" : "Selected: press Ctrl+C";
      button.textContent = said;
      document.getElementById("status").textContent = said;
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    return button;
  }

  async function copied(source) {
    try {
      await navigator.clipboard.writeText(source.textContent);
      return true;
    } catch {
      // Without https, or without the frame's permission.
      getSelection().selectAllChildren(source);
      return document.execCommand("copy");
    }
  }

  if (around) followTheme();
  document.addEventListener("click", openInAirflow);
  document.addEventListener("auxclick", (event) => { if (event.button === 1) openInAirflow(event); });
  document.addEventListener("DOMContentLoaded", () => {
    for (const code of document.querySelectorAll(".copyable code")) code.after(copyButton(code));
  });
})();
