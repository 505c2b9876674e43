// Index: sorts and filters the table of cases.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const body = $("table").tBodies[0];
  const rows = [...body.rows];
  const heads = [...$("table").tHead.rows[0].cells];
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;

  const read = (row, column, kind) => {
    const cell = row.cells[column];
    if (kind === "text") return cell.innerText.trim();
    return cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
  };

  /** Sort by a column; cells without a number stay at the end. */
  const sort = (head, column) => {
    const isUp = head.getAttribute("aria-sort") !== "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const { kind } = head.dataset;
    const found = rows.map((row) => [read(row, column, kind), row]);
    found.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = kind === "text" ? compare(a, b) : a - b;
      return isUp ? order : -order;
    });
    body.append(...found.map(([, row]) => row));
  };

  heads.forEach((head, column) => {
    if (!head.dataset.kind) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, column));
  });

  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const filter = () => {
    const words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = $("status").value;
    let count = 0;
    for (const row of rows) {
      const isShown = (!status || row.dataset.status === status)
        && words.every((word) => texts.get(row).includes(word));
      row.hidden = !isShown;
      count += isShown;
    }
    $("count").textContent = `${count} of ${rows.length} shown`;
  };
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("words").addEventListener("input", filter);
  $("status").addEventListener("change", filter);
  $("filters").hidden = false;
  filter();
  document.documentElement.dataset.ready = "index";
})();
