"use strict";
{
  /* Sorting, filtering and the switch of colours. Without this script the page lacks only the rows
     that did not fit. Data only becomes text: the page's policy forbids anything else. */

  const FIRST = 50;
  const MORE = 500;
  const ALL = 5000;
  const root = document.documentElement;
  const rest = JSON.parse(document.getElementById("rest").textContent);
  const collator = new Intl.Collator("en", { numeric: true });
  const count = (number) => number.toLocaleString("en");

  function make(name, properties, ...children) {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  }

  /* Figures are compared and added with all their digits, which a float does not have. */
  function exact(text) {
    const [whole, part = ""] = text.replaceAll(",", "").split(".");
    return { digits: BigInt(whole + part), places: part.length };
  }

  const scaled = (value, places) => value.digits * 10n ** BigInt(places - value.places);

  function compareDigits(one, other) {
    const [x, y] = [exact(one), exact(other)];
    const places = Math.max(x.places, y.places);
    const [left, right] = [scaled(x, places), scaled(y, places)];
    return left < right ? -1 : left > right ? 1 : 0;
  }

  const isFigure = (text) => /^-?\d[\d,]*(\.\d+)?$/.test(text);
  const float = (text) => (isFigure(text) ? Number(text.replaceAll(",", "")) : NaN);

  /* Floats are fast and mostly enough; where they are equal, the digits decide. */
  function compareFigures(one, other) {
    if (one.float !== other.float) return one.float - other.float;
    return one.text === other.text ? 0 : compareDigits(one.text, other.text);
  }

  const compareTexts = (one, other) => collator.compare(one.text, other.text);

  function sum(texts) {
    const values = texts.filter(isFigure).map(exact);
    const places = values.reduce((most, value) => Math.max(most, value.places), 0);
    const total = values.reduce((all, value) => all + scaled(value, places), 0n);
    const digits = String(total < 0n ? -total : total).padStart(places + 1, "0");
    const whole = digits.slice(0, digits.length - places).replace(/\B(?=(\d{3})+$)/g, ",");
    return `${total < 0n ? "-" : ""}${whole}${places ? "." + digits.slice(-places) : ""}`;
  }

  const onPaper = [];
  const PAPER = matchMedia("print");

  /* As in the files that the package writes: a text that a spreadsheet would compute gets an
     apostrophe in front, and figures have every digit and no separators. */
  function csvCell(text) {
    if (text === "\u2013") return "";
    if (isFigure(text)) return text.replaceAll(",", "");
    const safe = /^[=+\-@'\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  const csvOf = (rows) => "\ufeff" + rows.map((row) => row.map(csvCell).join(",") + "\r\n").join("");

  function save(name, rows) {
    const url = URL.createObjectURL(new Blob([csvOf(rows)], { type: "text/csv" }));
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  function enhance(table) {
    const key = table.dataset.key;
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const kinds = heads.map((head) => head.className);
    const figures = kinds.map((kind) => kind === "n");
    const rows = [...body.rows].map((node) => ({
      node,
      cells: [...node.cells].map((cell) => cell.textContent),
    }));
    for (const cells of rest[key] ?? []) rows.push({ node: null, cells });
    const titles = heads.map((head) => head.textContent);
    const csv = make("button", { type: "button", textContent: "CSV" });
    csv.ariaLabel = `CSV: ${table.caption.textContent}`;
    csv.addEventListener("click", () => save(`${key}.csv`, [titles, ...rows.map((row) => row.cells)]));
    if (rows.length < 2) {
      if (rows.length) table.parentElement.after(make("p", { className: "more" }, csv));
      return;
    }

    let view = rows;
    let shown = FIRST;
    const status = make("p", { className: "count" });
    status.setAttribute("role", "status");
    const filter = make("input", { type: "search", id: `${key}-filter`, autocomplete: "off" });
    filter.spellcheck = false;
    filter.ariaLabel = `Filter: ${table.caption.textContent}`;
    const label = make("label", { htmlFor: filter.id }, "Filter");
    const more = make("button", { type: "button" });
    const all = make("button", { type: "button" });
    const buttons = make("p", { className: "more" }, more, all, csv);
    const part = make("tr", { className: "part", hidden: true });

    function nodeOf(row) {
      row.node ??= make(
        "tr",
        {},
        ...row.cells.map((text, index) => {
          const cell = make(index ? "td" : "th", { textContent: text });
          if (!index) cell.scope = "row";
          if (kinds[index]) cell.className = kinds[index];
          return cell;
        }),
      );
      return row.node;
    }

    function subtotal() {
      part.hidden = view.length === rows.length || !heads.some((head) => "sum" in head.dataset);
      if (part.hidden) return;
      const first = make("th", { textContent: `these ${count(view.length)}` });
      first.scope = "row";
      const others = heads.slice(1).map((head, index) => {
        const adds = "sum" in head.dataset;
        const text = adds ? sum(view.map((row) => row.cells[index + 1])) : "";
        return make("td", { className: adds ? "n" : "", textContent: text });
      });
      part.replaceChildren(first, ...others);
    }

    function draw() {
      body.replaceChildren(...view.slice(0, shown).map(nodeOf));
      const left = view.length - Math.min(shown, view.length);
      more.textContent = `Show ${count(Math.min(MORE, left))} more`;
      all.textContent = `Show all ${count(view.length)}`;
      more.hidden = left <= 0;
      all.hidden = left <= MORE || view.length > ALL;
      const found = view.length === rows.length ? "" : `${count(view.length)} of `;
      const first = left > 0 ? `, the first ${count(shown)} shown` : "";
      status.textContent = `${found}${count(rows.length)} rows${first}`;
    }

    /* On paper nobody can ask for more. */
    function print(paper) {
      body.replaceChildren(...view.slice(0, paper ? view.length : shown).map(nodeOf));
    }

    function narrow() {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (row) => {
        row.text ??= row.cells.join("\n").toLowerCase();
        return words.every((word) => row.text.includes(word));
      };
      view = words.length ? rows.filter(fits) : rows;
      shown = FIRST;
      subtotal();
      draw();
    }

    function sort(index) {
      const before = heads[index].getAttribute("aria-sort");
      const down = before ? before === "ascending" : figures[index];
      for (const head of heads) head.removeAttribute("aria-sort");
      heads[index].setAttribute("aria-sort", down ? "descending" : "ascending");
      const compare = figures[index] ? compareFigures : compareTexts;
      const keyed = rows.map((row) => {
        const text = row.cells[index];
        const value = figures[index] ? float(text) : 0;
        return { row, text, float: value, empty: Number.isNaN(value) };
      });
      keyed.sort((one, other) => {
        if (one.empty || other.empty) return one.empty - other.empty;
        return down ? compare(other, one) : compare(one, other);
      });
      keyed.forEach((each, place) => (rows[place] = each.row));
      narrow();
    }

    function grow(size) {
      const next = shown;
      shown = size;
      draw();
      /* The button may be gone: move the focus to the first new row. */
      const cell = body.rows[next]?.cells[0];
      if (cell) cell.tabIndex = -1;
      cell?.focus({ preventScroll: true });
    }

    heads.forEach((head, index) => {
      const button = make("button", { type: "button", textContent: head.textContent });
      button.addEventListener("click", () => sort(index));
      head.replaceChildren(button);
    });
    filter.addEventListener("input", narrow);
    more.addEventListener("click", () => grow(shown + MORE));
    all.addEventListener("click", () => grow(view.length));
    onPaper.push(print);
    if (table.tFoot) table.tFoot.prepend(part);
    if (rows.length > 5) {
      table.parentElement.before(make("div", { className: "tools" }, label, filter, status));
    }
    table.parentElement.after(buttons);
    draw();
  }

  const fitting = new ResizeObserver((seen) => {
    for (const { target } of seen) {
      const box = target.parentElement;
      box.classList.toggle("fits", target.offsetWidth <= box.clientWidth);
    }
  });

  function switchColours(button) {
    const NAME = "binance-dust-scheme";
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.scheme ?? (system.matches ? "dark" : "light")) === "dark";
    const name = () => (button.textContent = isDark() ? "Light colours" : "Dark colours");
    /* A page opened from a file may have no storage; then the choice lasts as long as the page. */
    try {
      const kept = localStorage.getItem(NAME);
      if (kept === "dark" || kept === "light") root.dataset.scheme = kept;
    } catch {}
    button.addEventListener("click", () => {
      root.dataset.scheme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem(NAME, root.dataset.scheme);
      } catch {}
      name();
    });
    system.addEventListener("change", name);
    name();
    button.hidden = false;
  }

  for (const note of document.querySelectorAll(".unscripted")) note.remove();
  for (const table of document.querySelectorAll("table[data-key]")) {
    enhance(table);
    fitting.observe(table);
  }
  const print = (paper) => onPaper.forEach((each) => each(paper));
  PAPER.addEventListener("change", () => print(PAPER.matches));
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  switchColours(document.getElementById("scheme"));
}
