// Searching, filtering and sorting.

const CHUNK = 4096; // rows whose texts are looked at as one, to skip those without the query

/** Mark the rows whose ID, first words or input columns have the query. */
function searchRows(query, found) {
  for (const column of [rows.id, rows.words, ...rows.kept]) {
    for (let from = 0; from < state.loaded; from += CHUNK) {
      const chunk = column.slice(from, from + CHUNK);
      if (!chunk.join("\n").toLowerCase().includes(query)) continue;
      chunk.forEach((text, at) => { if (text.toLowerCase().includes(query)) found[lineOf(from + at)] = 1; });
    }
  }
}

const unpacked = new Map(); // the texts of blocks as JSON, up to a total size
let unpackedSize = 0;

async function jsonOf(block) {
  if (unpacked.has(block)) return unpacked.get(block);
  const json = await unpack(blocks.get(block));
  if (unpackedSize + json.length <= MOST_KEPT) {
    unpacked.set(block, json);
    unpackedSize += json.length;
  }
  return json;
}

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
  searchRows(query, found);
  refresh(SEARCHING);
  inBlock ??= rowsByBlock();
  const isPlain = !/["\\\u0000-\u001f]/.test(query); // JSON writes other characters as they are
  let shown = -Infinity, hasNews = false;
  for (const block of blocks.keys()) {
    const json = await jsonOf(block);
    await pauseIfLong();
    if (state.query !== query) return undefined;
    if (!isPlain || json.toLowerCase().includes(query)) hasNews = searchBlock(block, json, query, found) || hasNews;
    if (hasNews && performance.now() - shown > 300) {
      refresh(SEARCHING);
      shown = performance.now();
      hasNews = false;
    }
  }
  return refresh();
}

const SEARCHING = "searching …";

/** Mark the rows of a block whose texts have the query; return whether there is one that was not marked. */
function searchBlock(block, json, query, found) {
  const values = JSON.parse(json); // in lower case, keys that differ only by case would be one
  let hasNews = false;
  for (const row of inBlock.get(block) ?? []) {
    const line = lineOf(row);
    if (found[line] || !texts(values[rows.at[row]]).toLowerCase().includes(query)) continue;
    found[line] = 1;
    hasNews = true;
  }
  return hasNews;
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
  let size = 0, total = 0;
  for (let row = 0; row < state.loaded; row++) {
    if (lineOf(row) !== row) continue;
    total++;
    if (state.found && !state.found[row]) continue;
    if (state.filter.change === DIFFERS && !isDifferent(row)) continue;
    if (chosen.every(([name, value]) => rows[name][row] === value)) view[size++] = row;
  }
  state.view = sorted(view.subarray(0, size));
  state.cursor = Math.max(0, state.view.indexOf(current));
  const all = number(total);
  count.textContent = `${size === total ? all : `${number(size)} of ${all}`} results${note ? `, ${note}` : ""}`;
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
