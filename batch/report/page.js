"use strict";
// Text of prompts and answers reaches the page through `textContent` alone, never as markup.
// The rows are columns of equal length; a row is a number. Texts are unpacked when they are looked at.

const head = JSON.parse(document.getElementById("head").textContent);
const blocks = new Map([...document.querySelectorAll("script.block")].map((each) => [Number(each.dataset.block), each]));
const rows = { id: [], words: [], kept: head.columns.map(() => []) };
const NUMBERS = {
  output: Uint16Array, status: Uint8Array, code: Uint16Array, verdict: Uint8Array, model: Uint16Array,
  prompt_tokens: Float64Array, completion_tokens: Float64Array, cost: Float64Array, seconds: Float64Array,
  block: Int32Array, at: Int32Array,
};
const state = { loaded: 0, view: new Uint32Array(0), cursor: 0, opened: -1, sort: "", down: false, filter: {}, query: "", found: null };
const LONG = 100_000;      // characters of a text that are shown at once
const MOST = 12;          // answers side by side
const TALLEST = 8_000_000; // pixels; browsers limit the height of an element

/* Building the page */

// Characters that are invisible or change the direction of text; joiners are part of words and emoji.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/u;
const INVISIBLES = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu;
const PLAIN = new Set(["\n", "\t", "\u200c", "\u200d"]);

function escaped(character) {
  const code = character.codePointAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Append a text to an element, with its invisible characters made visible and all `find` marked. */
function write(element, text, find = "") {
  let from = 0;
  const add = (part) => (find ? writeMarked(element, part, find) : element.append(part));
  if (INVISIBLE.test(text)) {
    for (const match of text.matchAll(INVISIBLES)) {
      if (PLAIN.has(match[0])) continue;
      add(text.slice(from, match.index));
      element.append(make("span", { className: "invisible" }, escaped(match[0])));
      from = match.index + match[0].length;
    }
  }
  add(text.slice(from));
  return element;
}

function writeMarked(element, text, find) {
  const lower = text.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(find), count = 0; at >= 0 && count < 1000; at = lower.indexOf(find, from), count++) {
    element.append(text.slice(from, at), make("mark", {}, text.slice(at, at + find.length)));
    from = at + find.length;
  }
  element.append(text.slice(from));
}

function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  for (const child of children) typeof child === "string" ? write(element, child) : element.append(child);
  return element;
}

const number = (value) => (Number.isNaN(value) || value === null || value === undefined ? "" : value.toLocaleString("en-US"));
const seconds = (value) => (value >= 0 ? (value < 10 ? value.toFixed(2) : value.toFixed(1)) : "");
const money = (value) => (value >= 0 ? value.toLocaleString("en-US", { maximumSignificantDigits: 3 }) : "");
const json = (value) => JSON.stringify(value, null, 2);

/* Packed data */

async function unpack(element) {
  const text = element.textContent;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

async function load() {
  for (const [name, type] of Object.entries(NUMBERS)) rows[name] = new type(head.total);
  const chunks = document.querySelectorAll("script.chunk");
  for (let at = 0; at < chunks.length; at += 2) {
    const chunk = JSON.parse(await unpack(chunks[at]));
    const words = JSON.parse(await unpack(chunks[at + 1]));
    const start = state.loaded;
    for (const id of chunk.id) rows.id.push(id);
    for (const text of words) rows.words.push(text);
    for (const name of Object.keys(NUMBERS)) {
      const column = rows[name];
      chunk[name].forEach((value, index) => { column[start + index] = value ?? NaN; });
    }
    rows.kept.forEach((column, index) => {
      const values = chunk.kept[index];
      for (let each = 0; each < words.length; each++) column.push(values?.[each] ?? "");
    });
    state.loaded += words.length;
  }
}

const recent = new Map(); // blocks that were unpacked last

/** Return what is shown of an opened row; null if the page does not hold it. */
async function details(row) {
  const block = rows.block[row];
  if (!blocks.has(block)) return null;
  const values = recent.get(block) ?? JSON.parse(await unpack(blocks.get(block)));
  recent.delete(block);
  recent.set(block, values);
  if (recent.size > 8) recent.delete(recent.keys().next().value);
  return values[rows.at[row]];
}

/* Searching, filtering and sorting */

const isTyped = (row, query) =>
  rows.id[row].toLowerCase().includes(query) || rows.words[row].toLowerCase().includes(query) ||
  rows.kept.some((column) => column[row].toLowerCase().includes(query));

function texts(value) {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object") return String(value);
  return Object.values(value).map(texts).join("\n");
}

/** Search all texts, block by block, and show what is found so far. */
async function search(query) {
  const found = new Uint8Array(head.total);
  state.query = query;
  state.found = query ? found : null;
  if (!query) return refresh();
  for (let row = 0; row < state.loaded; row++) found[row] = isTyped(row, query) ? 1 : 0;
  refresh();
  inBlock ??= rowsByBlock();
  const isPlain = !/["\\\u0000-\u001f]/.test(query); // JSON writes other characters as they are
  let shown = performance.now();
  for (const [block, element] of blocks) {
    const packed = await unpack(element);
    if (state.query !== query) return undefined;
    if (isPlain && !packed.toLowerCase().includes(query)) continue;
    const values = JSON.parse(packed);
    for (const row of inBlock.get(block) ?? []) {
      if (!found[row] && texts(values[rows.at[row]]).toLowerCase().includes(query)) found[row] = 1;
    }
    if (performance.now() - shown > 300) {
      refresh("searching …");
      shown = performance.now();
    }
  }
  return refresh();
}

let inBlock = null;

function rowsByBlock() {
  const byBlock = new Map();
  for (let row = 0; row < state.loaded; row++) {
    const list = byBlock.get(rows.block[row]);
    if (list) list.push(row);
    else byBlock.set(rows.block[row], [row]);
  }
  return byBlock;
}

function refresh(note = "") {
  const chosen = Object.entries(state.filter).filter(([, value]) => value >= 0);
  const current = state.view[state.cursor];
  const view = new Uint32Array(state.loaded);
  let size = 0;
  for (let row = 0; row < state.loaded; row++) {
    if (state.found && !state.found[row]) continue;
    if (chosen.every(([name, value]) => rows[name][row] === value)) view[size++] = row;
  }
  state.view = sorted(view.subarray(0, size));
  state.cursor = Math.max(0, state.view.indexOf(current));
  const all = number(head.total);
  count.textContent = `${size === head.total ? all : `${number(size)} of ${all}`} results${note ? `, ${note}` : ""}`;
  sheet.style.height = `${Math.min(size * rowHeight(), TALLEST)}px`;
  empty.hidden = size > 0;
  list.setAttribute("aria-rowcount", String(size + 1));
  paint();
}

function sorted(view) {
  if (!state.sort) return view;
  const values = column(state.sort).values;
  const order = state.down ? -1 : 1;
  const isText = typeof values[view[0]] === "string";
  const isBlank = isText ? (value) => value === "" : Number.isNaN;
  const compare = isText ? (a, b) => (a < b ? -1 : a > b ? 1 : 0) : (a, b) => a - b;
  return view.sort((a, b) => {
    const left = values[a], right = values[b];
    const blank = isBlank(left) - isBlank(right); // blanks last, in both directions
    return blank || order * compare(left, right) || a - b;
  });
}

/* The table */

const named = (names) => (row, values) => names[values[row]];
const COLUMNS = [
  { name: "id", title: "ID", width: "minmax(120px, 1.2fr)" },
  { name: "output", title: "Output", width: "minmax(80px, .6fr)", text: named(head.outputs), isShown: head.outputs.length > 1 },
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
    ["status", "status", head.statuses], ["code", "error", head.codes], ["verdict", "verdict", head.verdicts],
    ["model", "model", head.models], ["output", "output", head.outputs],
  ]) {
    const select = chooser(name, title, names);
    if (select) tools.append(select);
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
  for (const value of rows[name]) counts[value] += 1;
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

/* An opened row */

const address = (row) => {
  const output = rows.output[row] ? `&output=${rows.output[row]}` : "";
  return `id=${encodeURIComponent(rows.id[row].toWellFormed?.() ?? rows.id[row])}${output}`;
};

function rowOf(hash) {
  if (!hash.startsWith("#id=")) return -1;
  const [id, output] = hash.slice(4).split("&output=");
  const name = decoded(id);
  for (let row = 0; row < state.loaded; row++) {
    if (rows.id[row] === name && rows.output[row] === Number(output ?? 0)) return row;
  }
  return -1;
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/** Return the rows of the same prompt, for all models and in all outputs, in the order of the table. */
function siblings(row) {
  if (head.models.filter(Boolean).length < 2 && head.outputs.length < 2) return [row];
  const key = promptOf(row);
  const same = [];
  for (let other = 0; other < state.loaded; other++) {
    if (other === row || (same.length < MOST && promptOf(other) === key)) same.push(other);
  }
  return same;
}

/** Return a row's ID without the name of its model, which is a part between slashes. */
function promptOf(row) {
  const id = rows.id[row];
  const model = head.models[rows.model[row]];
  if (!model) return id;
  if (id.endsWith(`/${model}`)) return id.slice(0, -model.length - 1);
  return id.replace(`/${model}/`, "/");
}

async function open(row) {
  state.opened = row;
  const place = state.view.indexOf(row);
  if (place >= 0) state.cursor = place;
  const all = siblings(row);
  const values = await Promise.all(all.map(details));
  if (state.opened !== row) return;
  const view = document.getElementById("row");
  const bar = make("div", { className: "bar" });
  for (const [title, act] of [["← All results", close], ["Previous", () => step(-1)], ["Next", () => step(1)]]) {
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", act);
    bar.append(button);
  }
  bar.append(make("span", { className: "where" }, place < 0 ? "" : `${number(place + 1)} of ${number(state.view.length)}`));
  const answers = make("div", { className: "answers" });
  all.forEach((each, index) => answers.append(answerCard(each, values[index], all.length > 1, each === row)));
  const value = values[all.indexOf(row)];
  const side = make("div", { className: "side" });
  if (value?.messages) side.append(promptCard(value));
  if (side.children.length) side.classList.add(all.length > 1 ? "several" : "pair");
  side.append(answers);
  view.replaceChildren(bar, make("h2", { tabIndex: -1, dir: "auto" }, rows.id[row]), facts(row, value), side, ...more(value));
  document.body.classList.add("reading");
  view.hidden = false;
  view.querySelector("h2").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function close() {
  if (location.hash.startsWith("#id=")) history.pushState(null, "", "#results");
  show();
}

function step(by) {
  const place = state.view.indexOf(state.opened) + by;
  if (place >= 0 && place < state.view.length) location.hash = address(state.view[place]);
}

function show() {
  const row = rowOf(location.hash);
  if (row >= 0) { open(row); return; }
  const wasOpen = state.opened >= 0;
  state.opened = -1;
  document.getElementById("row").hidden = true;
  document.body.classList.remove("reading");
  if (wasOpen) {
    document.getElementById("results").scrollIntoView();
    move(0);
    pane.focus({ preventScroll: true });
  }
}

function facts(row, value) {
  const pairs = [["status", head.codes[rows.code[row]] || head.statuses[rows.status[row]]]];
  if (value?.stale) pairs.push(["stale", "the request has changed since"]);
  if (head.outputs.length > 1) pairs.push(["output", head.outputs[rows.output[row]]]);
  pairs.push(["model", head.models[rows.model[row]]], ["served by", value?.served_by]);
  pairs.push(["verdict", head.verdicts[rows.verdict[row]]], ["finish reason", value?.finish_reason]);
  pairs.push(["tokens", `${number(rows.prompt_tokens[row])} in, ${number(rows.completion_tokens[row])} out`.replace(/^ in,  out$/, "")]);
  pairs.push(["cost", money(rows.cost[row])], ["seconds", seconds(rows.seconds[row])]);
  pairs.push(["first byte", seconds(value?.first_byte)], ["queued", seconds(value?.queued)]);
  pairs.push(["attempts", value ? String(value.attempts ?? "") : ""], ["completed", value?.completed_at]);
  const list = make("dl", { className: "facts" });
  for (const [name, text] of pairs) if (text) list.append(make("div", {}, make("dt", {}, name), make("dd", { dir: "auto" }, text)));
  return list;
}

function promptCard(value) {
  const card = make("article", { className: "card prompt" }, make("h3", {}, "Prompt"));
  if (value.rendered) card.querySelector("h3").append(make("small", {}, "rendered from the job file, which has not changed since"));
  for (const message of value.messages) {
    const parts = contentOf(message);
    if (message.role === "user" && value.messages.filter((each) => each.role === "user").length === 1) card.append(...parts);
    else if (message.role === "system") card.append(make("details", {}, make("summary", {}, "System prompt"), ...parts));
    else card.append(make("h4", {}, String(message.role ?? "message")), ...parts);
  }
  return card;
}

function contentOf(message) {
  const { role, content, ...others } = message;
  const parts = typeof content === "string" ? [text(content)] : Array.isArray(content) ? content.map(partOf) : [];
  if (Object.keys(others).length || (content && !parts.length)) parts.push(text(json(parts.length ? others : message), "text mono"));
  return parts;
}

const IMAGE = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/;

function partOf(part) {
  if (typeof part?.text === "string") return text(part.text);
  const url = part?.image_url?.url;
  if (typeof url === "string" && IMAGE.test(url)) return make("img", { src: url, alt: "image of the prompt" });
  return text(typeof url === "string" ? `[image: ${url}]` : json(part), "text mono");
}

function answerCard(row, value, isOneOfSeveral, isThis) {
  const status = head.statuses[rows.status[row]];
  const titles = [head.outputs.length > 1 ? head.outputs[rows.output[row]] : "", head.models[rows.model[row]]];
  const title = isOneOfSeveral ? titles.filter(Boolean).join(" · ") : status === "failed" ? "Error" : "Answer";
  const card = make("article", { className: isOneOfSeveral && isThis ? "card this" : "card" }, make("h3", { dir: "auto" }, title));
  if (isOneOfSeveral) card.querySelector("h3").append(make("small", {}, [seconds(rows.seconds[row]) && `${seconds(rows.seconds[row])} s`, money(rows.cost[row])].filter(Boolean).join(" · ")));
  if (status === "pending") {
    card.append(make("p", { className: "none" }, value?.stale ? "The request has changed; this answers an earlier version." : "No result yet."));
  }
  if (!value && status !== "pending") card.append(make("p", { className: "none" }, "The texts of this row are not in this page."), text(rows.words[row]));
  if (!value) return card;
  if (value.error) card.append(text([value.error.code, value.error.message].filter(Boolean).join(": "), "text mono failed"));
  if (value.text && !isSameAs(value.parsed, value.text)) card.append(text(value.text));
  for (const [name, heading] of [["refusal", "Refusal"], ["partial_text", "Partial text"], ["parsed", "JSON value"], ["tool_calls", "Tool calls"], ["reasoning", "Reasoning"], ["logprobs", "Log probabilities"]]) {
    if (value[name] === undefined || value[name] === null) continue;
    const isText = typeof value[name] === "string" && name !== "parsed";
    const body = text(isText ? value[name] : json(value[name]), isText ? "text" : "text mono");
    if (name === "reasoning" || name === "logprobs") card.append(make("details", {}, make("summary", {}, heading), body));
    else card.append(make("h4", {}, heading), body);
  }
  return card;
}

function isSameAs(parsed, text) {
  if (parsed === undefined) return false;
  try { return json(JSON.parse(text)) === json(parsed); } catch { return false; }
}

/** Return a text; the end of a very long one is shown on request. */
function text(value, className = "text") {
  const element = make("div", { className, dir: "auto" });
  write(element, value.slice(0, LONG), state.query);
  if (value.length <= LONG) return element;
  const button = make("button", { type: "button" }, `Show all ${number(value.length)} characters`);
  button.addEventListener("click", () => { element.replaceChildren(); write(element, value, state.query); button.remove(); });
  return make("div", {}, element, button);
}

function more(value) {
  const parts = [];
  const history = value?.error?.history ?? [];
  if (history.length) {
    const table = make("table", { className: "attempts" }, make("tr", {}, ...["Time", "Code", "Message"].map((each) => make("th", { scope: "col" }, each))));
    for (const each of history) table.append(make("tr", {}, make("td", {}, each.at), make("td", {}, each.code), make("td", { dir: "auto" }, each.message ?? "")));
    parts.push(make("article", { className: "card more" }, make("h3", {}, "Failed attempts"), table));
  }
  for (const [name, title] of [["metadata", "Input columns"], ["usage", "Usage"]]) {
    if (!value?.[name]) continue;
    const table = make("table", { className: "attempts columns" });
    for (const [key, each] of Object.entries(value[name])) {
      if (each !== null) table.append(make("tr", {}, make("th", { scope: "row", dir: "auto" }, key), make("td", { dir: "auto" }, typeof each === "string" ? each : json(each))));
    }
    parts.push(make("details", { className: "card more", open: name === "metadata" }, make("summary", {}, title), table));
  }
  return parts;
}

/* The timeline: values under the pointer */

function readable(figure) {
  const chart = JSON.parse(figure.querySelector("script").textContent);
  const readout = figure.querySelector(".readout");
  const lines = [...figure.querySelectorAll(".cursor")];
  const bins = chart.panels[0].series[0].values.length;
  figure.addEventListener("pointermove", (event) => {
    const area = figure.querySelector("svg").getBoundingClientRect();
    const share = (event.clientX - area.left) / area.width;
    if (share < 0 || share >= 1) return;
    const bin = Math.floor(share * bins);
    const values = chart.panels.flatMap((panel) => panel.series)
      .filter((series) => series.values[bin] !== null)
      .map((series) => `${series.name} ${number(Number(series.values[bin].toPrecision(3)))}${series.unit ? ` ${series.unit}` : ""}`);
    const from = bin * chart.width;
    readout.replaceChildren();
    write(readout, `${number(from)}–${number(from + chart.width)} s: ${values.join(" · ")}`);
    for (const each of lines) for (const side of ["x1", "x2"]) each.setAttribute(side, String((1000 * (bin + 0.5)) / bins));
  });
  figure.addEventListener("pointerleave", () => {
    readout.replaceChildren();
    for (const each of lines) for (const side of ["x1", "x2"]) each.setAttribute(side, "-9");
  });
}

/* Start */

function press(event) {
  const isTyping = event.target.matches("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isOpen = state.opened >= 0;
  if (event.key === "Escape") {
    if (isOpen) close();
    else if (isTyping) { if (box.value) { box.value = ""; search(""); } event.target.blur(); pane.focus({ preventScroll: true }); }
    return;
  }
  if (isTyping) {
    if (event.key === "Enter" && event.target === box) { pane.focus(); }
    return;
  }
  const steps = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity };
  const isArrow = event.key.length > 1 && event.key in steps;
  if (event.key === "/") { if (isOpen) close(); box.focus(); box.select(); }
  else if (event.key in steps && isOpen && !isArrow) step(steps[event.key]);
  else if (event.key in steps && !isOpen && (!isArrow || event.target === pane)) move(steps[event.key]);
  else if (event.key === "Enter" && !isOpen && state.view.length && !event.target.matches("a, button, summary")) location.hash = address(state.view[state.cursor]);
  else return;
  event.preventDefault();
}

let waiting = 0;
box.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { pane.scrollTop = 0; search(box.value.toLowerCase()); }, 150);
});
pane.addEventListener("scroll", () => requestAnimationFrame(paint));
addEventListener("resize", () => { height = 0; refresh(); });
addEventListener("hashchange", show);
document.addEventListener("keydown", press);
document.querySelectorAll("[data-chart]").forEach(readable);
for (const link of document.querySelectorAll("a[data-id]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    location.hash = `id=${encodeURIComponent(link.dataset.id)}${link.dataset.output === "0" ? "" : `&output=${link.dataset.output}`}`;
  });
}
document.getElementById("table").replaceChildren(make("p", { className: "none" }, "Reading the results …"));
load().then(() => {
  dropEmptyColumns();
  build();
  refresh();
  show();
  document.documentElement.dataset.ready = "true";
});
