// Searching, filtering and sorting.

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
  for (let row = 0; row < state.loaded; row++) if (isTyped(row, query)) found[lineOf(row)] = 1;
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
      if (!found[lineOf(row)] && texts(values[rows.at[row]]).toLowerCase().includes(query)) found[lineOf(row)] = 1;
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
