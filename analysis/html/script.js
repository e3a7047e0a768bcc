"use strict";
(() => {
const byId = (id) => document.getElementById(id);
// The reader's state, which a live page keeps when its content is replaced.
const kept = { search: "", condition: "", sort: null, descending: false, first: 0, selected: null };
let follow = () => {};

const start = () => {
  follow = () => {};
  const data = JSON.parse(byId("data").textContent);
  const table = byId("trial-table");
  if (!table) return;
  const PAGE = 100;
  const { headings, rows } = data;
  const place = new Map(headings.map((one, i) => [one.name, i]));
  const ids = place.get("trial_id");
  const body = table.tBodies[0];
  let order = rows.map((_, i) => i);
  let visible = order;
  let first = 0;
  let selected = null;

  const text = (value, words = {}) => {
    if (value === null) return "–";
    if (Object.hasOwn(words, value)) return words[value];
    if (typeof value === "number" && !Number.isInteger(value)) {
      return String(Number(value.toPrecision(5))).replace("-", "−");
    }
    return String(value).replace(/^-(?=\d)/, "−");
  };

  const grouped = (number) => number.toLocaleString("en-US");

  // The same conditions as those of `hedgesweep trials --where`, on the columns of this table.
  const CONDITION = /^\s*([^<>=!]+?)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*$/;
  const condition = (words) => {
    const match = CONDITION.exec(words);
    if (!match || !place.has(match[1])) return null;
    const column = place.get(match[1]);
    const sign = match[2];
    const wanted = match[3];
    const value = Number(wanted);
    const equal = (cell) => {
      if (wanted === "none") return cell === null;
      if (cell === null) return false;
      if (typeof cell === "number") return wanted !== "" && cell === value;
      if (typeof cell === "boolean") return (cell ? ["true", "yes"] : ["false", "no"]).includes(wanted);
      return cell === wanted;
    };
    if (sign === "=" || sign === "==") return (row) => equal(row[column]);
    if (sign === "!=") return (row) => !equal(row[column]);
    if (wanted === "" || Number.isNaN(value) || !headings[column].numeric) return null;
    const met = { "<": (x) => x < value, ">": (x) => x > value, "<=": (x) => x <= value, ">=": (x) => x >= value };
    return (row) => row[column] !== null && met[sign](row[column]);
  };

  const compare = (column, descending) => (a, b) => {
    const [x, y] = [rows[a][column], rows[b][column]];
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    const difference = headings[column].numeric ? x - y : String(x) < String(y) ? -1 : x === y ? 0 : 1;
    return (descending ? -difference : difference) || a - b;
  };

  const draw = () => {
    body.textContent = "";
    for (const i of visible.slice(first, first + PAGE)) {
      const row = body.insertRow();
      row.dataset.trial = rows[i][ids];
      row.tabIndex = 0;
      row.setAttribute("aria-selected", String(rows[i][ids] === selected));
      for (const [n, value] of rows[i].entries()) {
        const cell = row.insertCell();
        cell.textContent = text(value, headings[n].words);
        // As a condition takes it.
        if (cell.textContent !== text(value)) cell.title = text(value);
      }
    }
    const last = Math.min(first + PAGE, visible.length);
    byId("count").textContent = visible.length
      ? `${grouped(first + 1)} to ${grouped(last)} of ${grouped(visible.length)} trials`
      : "no trial";
    byId("previous").disabled = first === 0;
    byId("next").disabled = last >= visible.length;
    kept.first = first;
  };

  const filter = () => {
    kept.search = byId("search").value;
    kept.condition = byId("condition").value;
    const words = byId("search").value.trim().toLowerCase();
    const field = byId("condition");
    const met = field.value.trim() ? condition(field.value) : () => true;
    field.setCustomValidity(met ? "" : "a column, one of < <= > >= = !=, and a value");
    field.setAttribute("aria-invalid", String(!met));
    visible = order.filter((i) => {
      const row = rows[i];
      return (!met || met(row)) && (!words || row.some((cell, n) => `${text(cell)}\n${text(cell, headings[n].words)}`.toLowerCase().includes(words)));
    });
    first = 0;
    draw();
  };

  const select = (id) => {
    selected = id === selected ? null : id;
    kept.selected = selected;
    for (const mark of document.querySelectorAll(".drawing .trial.selected")) mark.classList.remove("selected");
    if (selected !== null) {
      for (const mark of document.querySelectorAll(`.drawing .trial[data-trial="${CSS.escape(selected)}"]`)) {
        mark.classList.add("selected");
        mark.parentNode.appendChild(mark);
      }
    }
    for (const row of body.rows) row.setAttribute("aria-selected", String(row.dataset.trial === selected));
  };

  const reveal = (id) => {
    const at = visible.findIndex((i) => rows[i][ids] === id);
    if (at >= 0) {
      first = Math.floor(at / PAGE) * PAGE;
      draw();
    }
    const row = [...body.rows].find((one) => one.dataset.trial === id);
    if (row) row.scrollIntoView({ block: "center" });
  };

  const sort = (column, descending) => {
    order = rows.map((_, i) => i).sort(compare(column, descending));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
    Object.assign(kept, { sort: headings[column].name, descending });
  };

  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.title = cell.title;
    cell.textContent = "";
    cell.append(button);
    button.addEventListener("click", () => {
      sort(column, kept.sort === headings[column].name && !kept.descending);
      filter();
    });
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) select(row.dataset.trial);
  });
  body.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    select(event.target.closest("tr").dataset.trial);
  });
  follow = (mark) => {
    if (mark.dataset.trial !== selected) select(mark.dataset.trial);
    reveal(mark.dataset.trial);
  };
  byId("search").addEventListener("input", filter);
  byId("condition").addEventListener("input", filter);
  byId("previous").addEventListener("click", () => { first -= PAGE; draw(); });
  byId("next").addEventListener("click", () => { first += PAGE; draw(); });
  byId("clear").addEventListener("click", () => { if (selected !== null) select(selected); });
  document.querySelector(".controls").hidden = false;
  const rest = byId("rest");
  if (rest) rest.remove();
  byId("search").value = kept.search;
  byId("condition").value = kept.condition;
  const before = kept.first;
  if (place.has(kept.sort)) sort(place.get(kept.sort), kept.descending);
  filter();
  if (before > 0 && before < visible.length) {
    first = before;
    draw();
  }
  if (kept.selected !== null && rows.some((row) => row[ids] === kept.selected)) select(kept.selected);
};

document.addEventListener("click", (event) => {
  const mark = event.target.closest(".drawing .trial, .trial-link");
  if (mark) follow(mark);
});
document.addEventListener("content", start);
start();
})();
