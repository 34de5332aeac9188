
"use strict";
const status = document.getElementById("status");

async function copy(code) {
  // Browsers give the clipboard to https and localhost only; elsewhere the old way still works.
  if (navigator.clipboard) return navigator.clipboard.writeText(code.textContent);
  getSelection().selectAllChildren(code);
  if (!document.execCommand("copy")) throw new Error("this browser does not copy");
}

for (const button of document.querySelectorAll(".call button")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    let said = "Copied";
    try {
      await copy(button.parentElement.querySelector("code"));
    } catch {
      said = "Select it and press Ctrl+C";
    }
    button.textContent = status.textContent = said;
    setTimeout(() => { button.textContent = "Copy"; status.textContent = ""; }, 2000);
  });
}
