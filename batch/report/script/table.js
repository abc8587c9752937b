// The table, of which only the visible rows are elements.

const named = (names) => (row, values) => names[values[row]];
const COLUMNS = [
  { name: "id", title: "ID", width: "minmax(120px, 1.2fr)" },
  { name: "output", title: "Output", width: "minmax(80px, .6fr)", text: named(head.outputs), isShown: head.outputs.length > 1 && !isComparison },
  { name: "change", title: "Change", width: "minmax(118px, auto)", text: named(head.changes), isShown: isComparison },
  { name: "status", title: "Status", width: "minmax(104px, auto)", text: (row) => head.codes[rows.code[row]] || head.statuses[rows.status[row]] },
  { name: "verdict", title: "Verdict", width: "84px", text: named(head.verdicts), isShown: head.verdicts.length > 2 },
  { name: "model", title: "Model", width: "minmax(90px, .7fr)", text: named(head.models), isShown: head.models.filter(Boolean).length > 1 },
  { name: "prompt_tokens", title: "In", width: "64px", text: (row, values) => number(values[row]), isNumber: true },
  { name: "completion_tokens", title: "Out", width: "64px", text: (row, values) => number(values[row]), isNumber: true },
  { name: "cost", title: "Cost", width: "80px", text: (row, values) => money(values[row]), isNumber: true },
  { name: "seconds", title: "Seconds", width: "68px", text: (row, values) => seconds(values[row]), isNumber: true },
];
const KEPT = head.columns.map((title, index) => ({ name: `kept ${index}`, title, width: "minmax(70px, .7fr)", isKept: true }));
const WORDS = { name: "words", title: "First words", width: "minmax(160px, 3fr)", isShown: head.has_text };

const column = (name) => columns().find((each) => each.name === name);
let shownColumns = null;

function columns() {
  shownColumns ??= [...COLUMNS, ...KEPT.slice(0, 4), WORDS]
    .filter((each) => each.isShown !== false)
    .map((each) => ({ ...each, values: each.isKept ? rows.kept[Number(each.name.slice(5))] : rows[each.name] }));
  return shownColumns;
}

function dropEmptyColumns() {
  const isEmpty = (each) => each.isNumber && each.values.every(Number.isNaN);
  shownColumns = columns().filter((each) => !isEmpty(each));
}

const count = make("output", { "aria-live": "polite" });
const box = make("input", { type: "search", placeholder: head.has_text ? "Search IDs, prompts and answers" : "Search IDs", "aria-label": "Search" });
const rowBox = make("div", { className: "rows", role: "none" });
const sheet = make("div", { className: "sheet", role: "none" }, rowBox);
const empty = make("p", { className: "empty", hidden: true }, "No result matches.");
const list = make("div", { className: "list", role: "table", "aria-label": "Results" });
const pane = make("div", { className: "window", tabIndex: 0, role: "rowgroup" }, sheet);

function build() {
  const tools = make("div", { className: "tools", role: "search" }, box);
  for (const [name, title, names] of [
    ["change", "change", head.changes], ["status", "status", head.statuses], ["code", "error", head.codes], ["verdict", "verdict", head.verdicts],
    ["model", "model", head.models], ["output", "output", isComparison ? [] : head.outputs],
  ]) {
    const select = chooser(name, title, names);
    if (select) tools.append(select);
    if (select && name === "change") preferDifferences(select);
  }
  tools.append(count);
  const template = columns().map((each) => each.width).join(" ");
  list.style.setProperty("--columns", template);
  const titles = make("div", { className: "line titles", role: "row", "aria-rowindex": "1" });
  for (const each of columns()) {
    const button = make("button", { type: "button" }, each.title);
    button.addEventListener("click", () => sortBy(each.name));
    titles.append(make("span", { role: "columnheader", className: each.isNumber ? "number" : "" , "data-column": each.name }, button));
  }
  list.replaceChildren(make("div", { role: "rowgroup" }, titles), pane);
  const keys = make("p", { className: "hint" });
  for (const [key, what] of [["j", ""], ["k", " move  "], ["Enter", " open  "], ["/", " search  "], ["Esc", " back"]]) {
    keys.append(make("kbd", {}, key), what || " ");
  }
  document.getElementById("table").replaceChildren(tools, list, empty, keys);
}

function chooser(name, title, names) {
  const counts = new Array(names.length).fill(0);
  rows[name].forEach((value, row) => { if (lineOf(row) === row) counts[value] += 1; });
  const present = names.map((_, index) => index).filter((index) => names[index] && counts[index]);
  if (present.length < 2 && !(name === "code" && present.length)) return null;
  const select = make("select", { "aria-label": `Filter by ${title}` }, make("option", { value: "-1" }, `Any ${title}`));
  for (const index of present) select.append(make("option", { value: String(index) }, `${names[index]} (${number(counts[index])})`));
  select.addEventListener("change", () => {
    state.filter[name] = Number(select.value);
    pane.scrollTop = 0;
    refresh();
  });
  return select;
}

/** Show the rows that differ, until the reader wants others. */
function preferDifferences(select) {
  let differing = 0;
  for (let row = 0; row < state.loaded; row++) differing += lineOf(row) === row && isDifferent(row);
  if (!differing) return;
  select.options[0].after(make("option", { value: String(DIFFERS) }, `all differences (${number(differing)})`));
  select.value = String(DIFFERS);
  state.filter.change = DIFFERS;
}

function sortBy(name) {
  const isSame = state.sort === name;
  const firstDown = Boolean(column(name).isNumber);
  if (isSame && state.down !== firstDown) Object.assign(state, { sort: "", down: false });
  else Object.assign(state, { sort: name, down: isSame ? !state.down : firstDown });
  for (const title of list.querySelectorAll("[role=columnheader]")) {
    if (title.dataset.column === state.sort) title.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    else title.removeAttribute("aria-sort");
  }
  pane.scrollTop = 0;
  refresh();
}

let height = 0;
const rowHeight = () => (height ||= parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 34);

/** Return the first visible row, and where the rows begin. A tall sheet is scrolled faster than its rows. */
function position() {
  const total = state.view.length * rowHeight();
  const inside = pane.clientHeight;
  if (total <= TALLEST) return { first: Math.floor(pane.scrollTop / rowHeight()), top: null };
  const share = pane.scrollTop / Math.max(1, TALLEST - inside);
  return { first: Math.floor((share * (total - inside)) / rowHeight()), top: pane.scrollTop };
}

function paint() {
  const { first, top } = position();
  const start = Math.max(0, Math.min(first - (top === null ? 4 : 0), state.view.length - 1));
  const end = Math.min(state.view.length, first + Math.ceil(pane.clientHeight / rowHeight()) + 4);
  const shown = [];
  for (let place = start; place < end; place++) shown.push(line(place));
  rowBox.replaceChildren(...shown);
  rowBox.style.transform = `translateY(${top ?? start * rowHeight()}px)`;
}

function line(place) {
  const row = state.view[place];
  const isCurrent = place === state.cursor;
  const element = make("div", { className: isCurrent ? "line current" : "line", role: "row", "aria-rowindex": String(place + 2) });
  if (isCurrent) element.setAttribute("aria-current", "true");
  for (const each of columns()) element.append(cell(each, row));
  element.addEventListener("click", (event) => {
    if (event.target.closest("a")) return;
    location.hash = address(row);
  });
  return element;
}

function cell(each, row) {
  const text = each.text ? each.text(row, each.values) : each.values[row] ?? "";
  const element = make("span", { role: "cell", className: each.isNumber ? "number" : each.isKept ? "kept" : each.name, dir: "auto" });
  if (each.name === "change") element.classList.add(text.replace(" ", "-"));
  if (each.name === "status") element.classList.add(head.statuses[rows.status[row]]);
  if (each.name === "words" && head.statuses[rows.status[row]] === "failed") element.classList.add("failed-words");
  if (each.name === "id") element.append(make("a", { href: `#${address(row)}`, tabIndex: -1 }, text));
  else write(element, text, each.name === "words" ? state.query : "");
  return element;
}

function move(step) {
  state.cursor = Math.max(0, Math.min(state.view.length - 1, state.cursor + step));
  const total = state.view.length * rowHeight();
  const top = state.cursor * rowHeight();
  const inside = pane.clientHeight;
  const scale = total <= TALLEST ? 1 : (TALLEST - inside) / (total - inside);
  if (top * scale < pane.scrollTop) pane.scrollTop = top * scale;
  else if ((top + rowHeight() - inside) * scale > pane.scrollTop) pane.scrollTop = (top + rowHeight() - inside) * scale;
  paint();
}
