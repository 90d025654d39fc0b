// Copy buttons on code blocks, names that fit into tables, and a search that takes what people paste.
"use strict";

const PROMPT = /^(\$|>>>|\.\.\.)( |$)/;

/** Give what is worth copying of a block: its commands if it has prompts, and else all of it. */
const copied = (text) => {
  const lines = text.trimEnd().split("\n");
  // Three dots alone are Python's, and no prompt.
  const typed = lines.some((line) => /^(\$|>>>) /.test(line)) && lines.filter((line) => PROMPT.test(line));
  return (typed ? typed.map((line) => line.replace(PROMPT, "")) : lines).join("\n") + "\n";
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

/** Let long names in tables break where their words end, so that the table fits. */
const breakNames = () => {
  for (const name of document.querySelectorAll("td code .pre")) {
    const words = name.textContent.split(/(?<=[_.,/])|(?<=[a-z])(?=[A-Z])/);
    if (words[0].startsWith("--")) {
      const option = Object.assign(document.createElement("span"), { className: "option" });
      option.textContent = words[0];
      words[0] = option;
    }
    name.replaceChildren(...words.flatMap((word) => [word, document.createElement("wbr")]));
    name.classList.add(name.textContent.length < 20 ? "breaks-on-a-phone" : "breaks");
  }
};

/** Search for the code in a pasted error, and look up each word of several in the index. */
const widen = () => {
  const [parse, find] = [Search._parseQuery, Search._performSearch];
  const none = new Set();
  Search._parseQuery = (query) => parse(/-\d{4,5}\b/.exec(query)?.[0] ?? query);
  Search._performSearch = (query, ...terms) => {
    const words = query.trim().split(/\s+/);
    const single = words.length > 1 ? words.flatMap((word) => find(word, none, none, none, none)) : [];
    const indexed = single.filter((found) => found.at(-1) === "index");
    // Below a page that has all words in its title, and above those that only mention them.
    for (const found of indexed) found[4] -= 60;
    const all = [...find(query, ...terms), ...indexed].sort((one, other) => one[4] - other[4]);
    const best = new Map(all.map((found) => [found[0] + found[2] + found[1], found]));
    return all.filter((found) => best.get(found[0] + found[2] + found[1]) === found);
  };
};

document.addEventListener("DOMContentLoaded", () => {
  // Over plain HTTP from another machine there is no clipboard.
  if (navigator.clipboard) document.querySelectorAll("div.highlight").forEach(addButton);
  breakNames();
  if (typeof Search !== "undefined") widen();
});
