// Copy buttons on code blocks: commands without prompts, and no output of theirs.
"use strict";

const PROMPT = /^(\$|>>>|\.\.\.)( |$)/;

/** Give what is worth copying of a block: its commands if it has prompts, and else all of it. */
const copied = (text) => {
  const lines = text.trimEnd().split("\n");
  const typed = lines.filter((line) => PROMPT.test(line));
  return (typed.length ? typed.map((line) => line.replace(PROMPT, "")) : lines).join("\n") + "\n";
};

const addButton = (block) => {
  const button = document.createElement("button");
  const pre = block.querySelector("pre");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(copied(pre.textContent));
    button.textContent = "Copied";
    button.classList.add("done");
    setTimeout(() => {
      button.textContent = "Copy";
      button.classList.remove("done");
    }, 1500);
  });
  block.append(button);
};

document.addEventListener("DOMContentLoaded", () => {
  // Over plain HTTP from another machine there is no clipboard.
  if (navigator.clipboard) document.querySelectorAll("div.highlight").forEach(addButton);
});
